#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Collects a model's metadata and tensors and writes them as one GGUF file.
/// Format: the GGUF specification, version 3.
class GgufWriter {
 public:
  GgufWriter();

  void set(const std::string& key, const std::string& value);
  void set(const std::string& key, std::uint32_t value);
  void set(const std::string& key, float value);
  void set(const std::string& key, bool value);
  void set_strings(const std::string& key, const std::vector<std::string>& values);
  void set_numbers(const std::string& key, const std::vector<std::int32_t>& values);

  /// @param shape  the fastest dimension first: {columns, rows} of a matrix.
  /// @param data   in the layout of `type`; borrowed until write() returns.
  /// @throws Error(corrupt) `data` has not the size that type and shape give.
  void add_tensor(const std::string& name, ggml_type type, std::span<const std::int64_t> shape,
                  std::string_view data);

  /// Adds bytes behind the last tensor, where other readers do not look, aligned like a tensor.
  /// The file names their place under `key`. At most one such attachment.
  void attach(const std::string& key, std::string bytes);

  /// Writes the file and syncs it. @throws Error(io|full)
  void write(const std::filesystem::path& file);

 private:
  gguf_context_ptr gguf_;
  ggml_context_ptr tensors_;
  std::vector<std::string_view> data_;
  std::string attachment_key_, attachment_;
};

/// A GGUF file's metadata: its weights are not read.
class GgufMetadata {
 public:
  /// @throws Error(not_found); Error(corrupt) not a GGUF file.
  explicit GgufMetadata(const std::filesystem::path& file);

  std::string text(const std::string& key, std::string otherwise = {}) const;
  std::uint32_t number(const std::string& key, std::uint32_t otherwise = 0) const;
  bool has_tensor(const std::string& name) const;
  /// Where an attachment begins in the file; nothing where there is none.
  std::optional<std::uint64_t> attachment(const std::string& key) const;

 private:
  std::int64_t find(const std::string& key, gguf_type type) const;

  gguf_context_ptr gguf_;
};

}  // namespace hasten
