#include "models/gguf_file.hpp"

#include <fmt/format.h>

#include "base/files.hpp"
#include "hasten/error.hpp"
#include "models/llama_library.hpp"

namespace hasten {
namespace {

constexpr std::size_t kTensorsMax = 1024;

}  // namespace

GgufWriter::GgufWriter()
    : gguf_(gguf_init_empty()),
      tensors_(ggml_init(
          {.mem_size = kTensorsMax * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})) {}

void GgufWriter::set(const std::string& key, const std::string& value) {
  gguf_set_val_str(gguf_.get(), key.c_str(), value.c_str());
}
void GgufWriter::set(const std::string& key, std::uint32_t value) {
  gguf_set_val_u32(gguf_.get(), key.c_str(), value);
}
void GgufWriter::set(const std::string& key, float value) {
  gguf_set_val_f32(gguf_.get(), key.c_str(), value);
}
void GgufWriter::set(const std::string& key, bool value) {
  gguf_set_val_bool(gguf_.get(), key.c_str(), value);
}
void GgufWriter::set_strings(const std::string& key, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const auto& value : values) pointers.push_back(value.c_str());
  gguf_set_arr_str(gguf_.get(), key.c_str(), pointers.data(), pointers.size());
}
void GgufWriter::set_numbers(const std::string& key, const std::vector<std::int32_t>& values) {
  gguf_set_arr_data(gguf_.get(), key.c_str(), GGUF_TYPE_INT32, values.data(), values.size());
}

void GgufWriter::add_tensor(const std::string& name, ggml_type type, std::span<const std::int64_t> shape,
                            std::string_view data) {
  if (data_.size() == kTensorsMax) throw Error(Code::corrupt, "a model of too many tensors");
  ggml_tensor* tensor = ggml_new_tensor(tensors_.get(), type, static_cast<int>(shape.size()), shape.data());
  ggml_set_name(tensor, name.c_str());
  if (ggml_nbytes(tensor) != data.size()) {
    throw Error(Code::corrupt, fmt::format("tensor '{}' has {} bytes; its shape asks for {}", name,
                                           data.size(), ggml_nbytes(tensor)));
  }
  gguf_add_tensor(gguf_.get(), tensor);
  data_.push_back(data);
}

void GgufWriter::attach(const std::string& key, std::string bytes) {
  attachment_key_ = key;
  attachment_ = std::move(bytes);
  gguf_set_val_u64(gguf_.get(), key.c_str(), 0);  // of the size that it will have
}

void GgufWriter::write(const std::filesystem::path& path) {
  const std::size_t alignment = gguf_get_alignment(gguf_.get());
  const auto padding_of = [&](std::size_t bytes) { return (alignment - bytes % alignment) % alignment; };
  std::vector<std::byte> meta(gguf_get_meta_size(gguf_.get()));
  std::uint64_t end = meta.size();
  for (const auto data : data_) end += data.size() + padding_of(data.size());
  if (!attachment_key_.empty()) gguf_set_val_u64(gguf_.get(), attachment_key_.c_str(), end);
  gguf_get_meta_data(gguf_.get(), meta.data());

  const File file = create_file(path);
  write_all(file, meta, path);
  const std::vector<std::byte> zeros(alignment);
  for (const auto data : data_) {
    write_all(file, std::as_bytes(std::span(data)), path);
    write_all(file, std::span(zeros).first(padding_of(data.size())), path);
  }
  write_all(file, std::as_bytes(std::span(attachment_)), path);
  sync_file(file, path);
}

GgufMetadata::GgufMetadata(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) {
    throw Error(Code::not_found, fmt::format("no model file '{}'", file.string()));
  }
  quieten_llama();
  gguf_.reset(gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = nullptr}));
  if (!gguf_) {
    throw Error(Code::corrupt, fmt::format("'{}' is not a GGUF model file", file.string()));
  }
}

std::int64_t GgufMetadata::find(const std::string& key, gguf_type type) const {
  const auto at = gguf_find_key(gguf_.get(), key.c_str());
  return at >= 0 && gguf_get_kv_type(gguf_.get(), at) == type ? at : -1;
}

std::string GgufMetadata::text(const std::string& key, std::string otherwise) const {
  const auto at = find(key, GGUF_TYPE_STRING);
  return at < 0 ? otherwise : gguf_get_val_str(gguf_.get(), at);
}

std::uint32_t GgufMetadata::number(const std::string& key, std::uint32_t otherwise) const {
  const auto at = find(key, GGUF_TYPE_UINT32);
  return at < 0 ? otherwise : gguf_get_val_u32(gguf_.get(), at);
}

bool GgufMetadata::has_tensor(const std::string& name) const {
  return gguf_find_tensor(gguf_.get(), name.c_str()) >= 0;
}

std::optional<std::uint64_t> GgufMetadata::attachment(const std::string& key) const {
  const auto at = find(key, GGUF_TYPE_UINT64);
  return at < 0 ? std::nullopt : std::optional(gguf_get_val_u64(gguf_.get(), at));
}

}  // namespace hasten
