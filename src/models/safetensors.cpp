#include "models/safetensors.hpp"

#include <fmt/format.h>
#include <ggml.h>

#include <cstring>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

void check(bool fine, const char* what) {
  if (!fine) throw Error(Code::corrupt, fmt::format("the safetensors file {}", what));
}

/// An array of whole numbers of a tensor's entry; empty where there is none.
template <class T>
std::vector<T> numbers_of(const json& entry, const char* key) {
  std::vector<T> numbers;
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) return numbers;
  for (const json& number : *found) {
    check(number.is_number_unsigned(), "has a header with numbers that are none");
    numbers.push_back(number.get<T>());
  }
  return numbers;
}

template <class T>
std::vector<T> values_of(std::string_view bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  bytes.copy(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
  return values;
}

template <class T>
std::vector<float> widened(std::string_view bytes, void (*widen)(const T*, float*, std::int64_t)) {
  const std::vector<T> narrow = values_of<T>(bytes);
  std::vector<float> wide(narrow.size());
  widen(narrow.data(), wide.data(), static_cast<std::int64_t>(wide.size()));
  return wide;
}

}  // namespace

Safetensors::Safetensors(std::string_view file) {
  std::uint64_t header_bytes = 0;
  check(file.size() >= sizeof header_bytes, "is cut short");
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  file.remove_prefix(sizeof header_bytes);
  check(header_bytes <= file.size(), "is cut short");
  header_ = json::parse(file.substr(0, header_bytes), nullptr, false);
  check(header_.is_object(), "has no header");
  data_ = file.substr(header_bytes);
}

std::vector<float> Safetensors::floats(const std::string& name) const {
  const json& entry = at(name);
  const auto offsets = numbers_of<std::uint64_t>(entry, "data_offsets");
  check(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_.size(), "is cut short");
  const std::string_view bytes = data_.substr(offsets[0], offsets[1] - offsets[0]);
  const auto dtype = entry.find("dtype");
  const std::string type = dtype != entry.end() && dtype->is_string() ? dtype->get<std::string>() : "";
  if (type == "F32") return values_of<float>(bytes);
  if (type == "F16") return widened<ggml_fp16_t>(bytes, ggml_fp16_to_fp32_row);
  if (type == "BF16") return widened<ggml_bf16_t>(bytes, ggml_bf16_to_fp32_row);
  throw Error(Code::corrupt, fmt::format("the tensor '{}' of the safetensors file is of type '{}', not of "
                                         "F32, F16 or BF16",
                                         name, type));
}

std::vector<std::uint32_t> Safetensors::shape(const std::string& name) const {
  return numbers_of<std::uint32_t>(at(name), "shape");
}

const json& Safetensors::at(const std::string& name) const {
  const auto found = header_.find(name);
  if (found == header_.end()) {
    throw Error(Code::corrupt, fmt::format("the safetensors file lacks '{}'", name));
  }
  check(found->is_object(), "has a header that is none");
  return *found;
}

}  // namespace hasten
