#include <fmt/format.h>
#include <ggml.h>

#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "hasten/error.hpp"
#include "models/bert_gguf.hpp"
#include "models/gguf_file.hpp"
#include "models/importers.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr ggml_type kMatrixType = GGML_TYPE_Q8_0;

/// A safetensors file: the header's length, the header as JSON, the tensors' bytes.
class Safetensors {
 public:
  explicit Safetensors(std::string_view file) {
    std::uint64_t header_bytes = 0;
    check(file.size() >= sizeof header_bytes, "is cut short");
    std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
    file.remove_prefix(sizeof header_bytes);
    check(header_bytes <= file.size(), "is cut short");
    header_ = json::parse(file.substr(0, header_bytes), nullptr, false);
    check(header_.is_object(), "has no header");
    data_ = file.substr(header_bytes);
  }

  /// The bytes of a float32 tensor.
  std::string_view floats(const std::string& name) const {
    const json& entry = at(name);
    check(entry.value("dtype", "") == "F32", "is not of float32");
    const auto offsets = entry.value("data_offsets", std::vector<std::uint64_t>{});
    check(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_.size(),
          "is cut short");
    return data_.substr(offsets[0], offsets[1] - offsets[0]);
  }

  std::vector<std::uint32_t> shape(const std::string& name) const {
    return at(name).value("shape", std::vector<std::uint32_t>{});
  }
  bool has(const std::string& name) const { return header_.contains(name); }

 private:
  static void check(bool fine, const char* what) {
    if (!fine) throw Error(Code::corrupt, fmt::format("the safetensors file {}", what));
  }
  const json& at(const std::string& name) const {
    const auto found = header_.find(name);
    if (found == header_.end()) {
      throw Error(Code::corrupt, fmt::format("the safetensors file lacks '{}'", name));
    }
    return *found;
  }

  json header_;
  std::string_view data_;
};

BertShape shape_of(const Safetensors& model) {
  const auto rows_and_columns = [&](const std::string& name) {
    const auto shape = model.shape(name);
    if (shape.size() != 2) throw Error(Code::corrupt, fmt::format("'{}' is no matrix", name));
    return std::pair(shape[0], shape[1]);
  };
  BertShape shape;
  std::tie(shape.vocabulary, shape.width) = rows_and_columns("embeddings.word_embeddings.weight");
  shape.positions = rows_and_columns("embeddings.position_embeddings.weight").first;
  shape.types = rows_and_columns("embeddings.token_type_embeddings.weight").first;
  shape.feed_forward = rows_and_columns("encoder.layer.0.intermediate.dense.weight").first;
  while (model.has(fmt::format("encoder.layer.{}.output.dense.weight", shape.layers))) {
    ++shape.layers;
  }
  shape.heads = shape.width / 32;  // MiniLM's heads are 32 wide
  shape.epsilon = 1e-12F;
  return shape;
}

// llama.cpp marks the beginnings of words with U+2581 where the list marks continuations with ##.
void set_wordpiece(GgufWriter& out, std::string_view list) {
  constexpr std::int32_t kNormal = 1, kControl = 3;
  std::vector<std::string> pieces;
  std::vector<std::int32_t> types;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('\n', at), list.size());
    std::string_view piece = list.substr(at, end - at);
    at = end + 1;
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    const bool control = piece == "[PAD]" || piece == "[UNK]" || piece == "[CLS]" ||
                         piece == "[SEP]" || piece == "[MASK]";
    types.push_back(control ? kControl : kNormal);
    if (control) {
      pieces.emplace_back(piece);
    } else if (piece.starts_with("##")) {
      pieces.emplace_back(piece.substr(2));
    } else {
      pieces.push_back("\xE2\x96\x81" + std::string(piece));
    }
  }
  out.set("tokenizer.ggml.model", std::string("bert"));
  out.set_strings("tokenizer.ggml.tokens", pieces);
  out.set_numbers("tokenizer.ggml.token_type", types);
}

std::string quantise(std::string_view floats, ggml_type type, std::int64_t columns) {
  const auto n = static_cast<std::int64_t>(floats.size() / sizeof(float));
  std::vector<float> values(static_cast<std::size_t>(n));
  floats.copy(reinterpret_cast<char*>(values.data()), floats.size());
  std::string out(ggml_row_size(type, n), '\0');
  ggml_quantize_chunk(type, values.data(), out.data(), 0, n / columns, columns, nullptr);
  return out;
}

}  // namespace

void import_bert(std::string_view safetensors, std::string_view vocabulary,
                 const EmbedderFacts& facts, const std::filesystem::path& gguf) {
  const Safetensors model(safetensors);
  const BertShape shape = shape_of(model);
  GgufWriter out;
  set_bert_metadata(out, shape, facts);
  set_wordpiece(out, vocabulary);
  std::list<std::string> quantised;  // stay where they are until written
  for (const BertTensor& tensor : bert_tensors(shape)) {
    std::string_view data = model.floats(tensor.hf_name);
    // Only what is multiplied with is quantised; positions and types are added, and are small.
    const bool matrix = tensor.shape.size() == 2 && tensor.gguf_name != "position_embd.weight" &&
                        tensor.gguf_name != "token_types.weight";
    if (matrix) data = quantised.emplace_back(quantise(data, kMatrixType, tensor.shape[0]));
    out.add_tensor(tensor.gguf_name, matrix ? kMatrixType : GGML_TYPE_F32, tensor.shape, data);
  }
  out.write(gguf);
}

}  // namespace hasten
