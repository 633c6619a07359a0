#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// A safetensors file: the header's length, the header as JSON, the tensors' bytes.
class Safetensors {
 public:
  /// @param file  borrowed. @throws Error(corrupt) it is cut short or no such file.
  explicit Safetensors(std::string_view file);

  /// The values of a tensor of float32, float16 or bfloat16.
  /// @throws Error(corrupt) absent, cut short, or of another type.
  std::vector<float> floats(const std::string& name) const;
  std::vector<std::uint32_t> shape(const std::string& name) const;
  bool has(const std::string& name) const { return header_.contains(name); }

 private:
  const nlohmann::json& at(const std::string& name) const;

  nlohmann::json header_;
  std::string_view data_;
};

}  // namespace hasten
