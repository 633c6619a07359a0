#include <fmt/format.h>
#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <list>
#include <tuple>
#include <vector>

#include "base/files.hpp"
#include "hasten/error.hpp"
#include "models/bert_gguf.hpp"
#include "models/gguf_file.hpp"
#include "models/importers.hpp"
#include "models/safetensors.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kWeightBytesMax = std::uint64_t{4} << 30;
constexpr std::uint64_t kConfigBytesMax = std::uint64_t{64} << 20;

/// What is imported: the weights, and what the weights do not say.
struct BertSource {
  const Safetensors& weights;
  std::string prefix;  ///< of the encoder's tensors: "bert.", or none
  std::string_view vocabulary;
  BertShape shape;
  WeightType type = WeightType::q8_0;

  bool has_head() const { return weights.has("classifier.weight"); }
};

BertShape shape_of(const Safetensors& model, const std::string& prefix) {
  const auto rows_and_columns = [&](const std::string& name) {
    const auto shape = model.shape(name);
    if (shape.size() != 2) throw Error(Code::corrupt, fmt::format("'{}' is no matrix", name));
    return std::pair(shape[0], shape[1]);
  };
  BertShape shape;
  std::tie(shape.vocabulary, shape.width) = rows_and_columns(prefix + "embeddings.word_embeddings.weight");
  shape.positions = rows_and_columns(prefix + "embeddings.position_embeddings.weight").first;
  shape.types = rows_and_columns(prefix + "embeddings.token_type_embeddings.weight").first;
  shape.feed_forward = rows_and_columns(prefix + "encoder.layer.0.intermediate.dense.weight").first;
  while (model.has(fmt::format("{}encoder.layer.{}.output.dense.weight", prefix, shape.layers))) {
    ++shape.layers;
  }
  shape.heads = shape.width / 32;  // MiniLM's heads are 32 wide
  shape.epsilon = 1e-12F;
  return shape;
}

/// The lines of a vocabulary: a piece a line.
std::vector<std::string_view> lines_of(std::string_view list) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('\n', at), list.size());
    std::string_view line = list.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

/// The marks of a WordPiece vocabulary, the key that says which token each is, and where llama.cpp looks
/// for it without that key.
struct Mark {
  std::string_view text;
  const char* key;
  std::size_t usual;
};
constexpr Mark kMarks[] = {
    {"[PAD]", "tokenizer.ggml.padding_token_id", 0}, {"[UNK]", "tokenizer.ggml.unknown_token_id", 100},
    {"[CLS]", "tokenizer.ggml.bos_token_id", 101},   {"[SEP]", "tokenizer.ggml.seperator_token_id", 102},
    {"[MASK]", "tokenizer.ggml.mask_token_id", 103},
};

// llama.cpp marks the beginnings of words with U+2581 where the list marks continuations with ##.
std::string piece_of(std::string_view line) {
  if (std::ranges::find(kMarks, line, &Mark::text) != std::end(kMarks)) return std::string(line);
  return line.starts_with("##") ? std::string(line.substr(2)) : "\xE2\x96\x81" + std::string(line);
}

/// @param twice  each piece has a second token, which no text is cut into, behind all the first ones.
void set_wordpiece(GgufWriter& out, std::string_view list, bool twice) {
  constexpr std::int32_t kNormal = 1, kControl = 3, kUnused = 5;
  const std::vector<std::string_view> lines = lines_of(list);
  std::vector<std::string> pieces;
  std::vector<std::int32_t> types;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto mark = std::ranges::find(kMarks, lines[i], &Mark::text);
    const bool is_mark = mark != std::end(kMarks);
    if (is_mark && mark->usual != i) out.set(mark->key, static_cast<std::uint32_t>(i));
    types.push_back(is_mark ? kControl : kNormal);
    pieces.push_back(piece_of(lines[i]));
  }
  for (std::size_t i = 0; twice && i < lines.size(); ++i) {
    pieces.push_back(fmt::format("\x01{}", i));
    types.push_back(kUnused);
  }
  out.set("tokenizer.ggml.model", std::string("bert"));
  out.set_strings("tokenizer.ggml.tokens", pieces);
  out.set_numbers("tokenizer.ggml.token_type", types);
}

std::string bytes_of(const std::vector<float>& values, ggml_type type, std::int64_t columns) {
  const auto n = static_cast<std::int64_t>(values.size());
  std::string out(ggml_row_size(type, n), '\0');
  ggml_quantize_chunk(type, values.data(), out.data(), 0, n / columns, columns, nullptr);
  return out;
}

/// Words as they stand in the first segment of a pair, then as they stand in the second: llama.cpp gives
/// every token the first segment's type, so what the second's would add is in the second rows.
std::vector<float> both_segments(std::vector<float> words, const std::vector<float>& types,
                                 std::size_t width) {
  if (types.size() < 2 * width) throw Error(Code::corrupt, "the model's two token types do not add up");
  const std::size_t n = words.size();
  words.resize(2 * n);
  for (std::size_t i = 0; i < n; ++i) words[n + i] = words[i] + types[width + i % width] - types[i % width];
  return words;
}

/// Writes the tensors of a model, and keeps their bytes until all are written.
class TensorWriter {
 public:
  TensorWriter(GgufWriter& out, WeightType type) : out_(out), type_(type) {}

  /// @param multiplied  only what is multiplied with is quantised; the rest is added, and small.
  void add(const std::string& name, std::span<const std::int64_t> shape, const std::vector<float>& values,
           bool multiplied) {
    std::size_t expected = 1;
    for (const std::int64_t n : shape) expected *= static_cast<std::size_t>(n);
    if (values.size() != expected) {
      throw Error(Code::corrupt, fmt::format("the tensor '{}' has {} values, its shape asks for {}", name,
                                             values.size(), expected));
    }
    const bool quantised = multiplied && type_ == WeightType::q8_0 && shape[0] % kBlock == 0;
    const ggml_type type = quantised ? GGML_TYPE_Q8_0 : GGML_TYPE_F32;
    out_.add_tensor(name, type, shape, kept_.emplace_back(bytes_of(values, type, shape[0])));
  }

 private:
  static constexpr std::int64_t kBlock = 32;
  GgufWriter& out_;
  WeightType type_;
  std::list<std::string> kept_;  // they stay where they are
};

void add_head(TensorWriter& tensors, GgufWriter& out, const BertSource& source) {
  const std::int64_t width = source.shape.width;
  const std::int64_t labels = source.weights.shape("classifier.weight").at(0);
  out.set("bert.pooling_type", std::uint32_t{LLAMA_POOLING_TYPE_RANK});
  if (labels != 1) {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < labels; ++i) names.push_back(fmt::format("LABEL_{}", i));
    out.set_strings("bert.classifier.output_labels", names);
  }
  const std::string pooler = source.prefix + "pooler.dense.";
  const std::int64_t square[] = {width, width}, row[] = {width}, last[] = {width, labels}, bias[] = {labels};
  if (source.weights.has(pooler + "weight")) {
    tensors.add("cls.weight", square, source.weights.floats(pooler + "weight"), true);
    tensors.add("cls.bias", row, source.weights.floats(pooler + "bias"), false);
  }
  tensors.add("cls.output.weight", last, source.weights.floats("classifier.weight"), false);
  tensors.add("cls.output.bias", bias, source.weights.floats("classifier.bias"), false);
}

void write_bert(const BertSource& source, const EmbedderFacts& facts, const fs::path& gguf) {
  const bool pairs = source.has_head() && source.shape.types > 1;
  BertShape shape = source.shape;
  if (pairs) shape.vocabulary *= 2;
  GgufWriter out;
  set_bert_metadata(out, shape, facts);
  set_wordpiece(out, source.vocabulary, pairs);
  if (pairs) out.set(kSecondSegmentKey, source.shape.vocabulary);
  TensorWriter tensors(out, source.type);
  for (const BertTensor& tensor : bert_tensors(shape)) {
    std::vector<float> values = source.weights.floats(source.prefix + tensor.hf_name);
    if (pairs && tensor.gguf_name == "token_embd.weight") {
      const std::string types = source.prefix + "embeddings.token_type_embeddings.weight";
      values = both_segments(std::move(values), source.weights.floats(types), shape.width);
    }
    const bool multiplied = tensor.shape.size() == 2 && tensor.gguf_name != "position_embd.weight" &&
                            tensor.gguf_name != "token_types.weight";
    tensors.add(tensor.gguf_name, tensor.shape, values, multiplied);
  }
  if (source.has_head()) add_head(tensors, out, source);
  out.write(gguf);
}

json read_config(const fs::path& file) {
  if (!fs::exists(file)) return json::object();
  json config = json::parse(read_file(file, kConfigBytesMax), nullptr, false);
  if (!config.is_object()) throw Error(Code::corrupt, fmt::format("'{}' is not JSON", file.string()));
  return config;
}

/// @throws Error(unsupported) a model that write_bert() cannot write as it is.
void check_config(const json& config, const json& tokenizer, const fs::path& folder) {
  const std::string type = config.value("model_type", "bert");
  if (type != "bert" || !fs::exists(folder / "vocab.txt")) {
    throw Error(
        Code::unsupported,
        fmt::format("'{}' holds a model of type '{}'; only BERT with a WordPiece vocabulary (vocab.txt) "
                    "is imported from a folder; a GGUF file made by llama.cpp's converter can be used "
                    "as it is",
                    folder.string(), type));
  }
  if (!tokenizer.value("do_lower_case", true)) {
    throw Error(Code::unsupported, fmt::format("'{}' holds a model that tells capitals from small letters, "
                                               "which the tokenizer does not",
                                               folder.string()));
  }
}

}  // namespace

void import_bert(std::string_view safetensors, std::string_view vocabulary, const EmbedderFacts& facts,
                 const fs::path& gguf) {
  const Safetensors weights(safetensors);
  write_bert({.weights = weights, .prefix = "", .vocabulary = vocabulary, .shape = shape_of(weights, "")},
             facts, gguf);
}

std::string import_folder(const fs::path& folder, WeightType type, const fs::path& gguf) {
  const fs::path model = folder / "model.safetensors";
  if (!fs::is_regular_file(model)) {
    throw Error(Code::not_found,
                fmt::format("no 'model.safetensors' in '{}'; a folder in Hugging Face's layout "
                            "has one, beside config.json and vocab.txt",
                            folder.string()));
  }
  const json config = read_config(folder / "config.json");
  check_config(config, read_config(folder / "tokenizer_config.json"), folder);
  const std::string bytes = read_file(model, kWeightBytesMax);
  const std::string vocabulary = read_file(folder / "vocab.txt", kConfigBytesMax);
  const Safetensors weights(bytes);
  const std::string prefix = weights.has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
  BertSource source{.weights = weights,
                    .prefix = prefix,
                    .vocabulary = vocabulary,
                    .shape = shape_of(weights, prefix),
                    .type = type};
  source.shape.heads = config.value("num_attention_heads", source.shape.heads);
  source.shape.epsilon = config.value("layer_norm_eps", source.shape.epsilon);
  const std::string name = fs::weakly_canonical(folder).filename().string();
  write_bert(source,
             {.name = name,
              .licence = "not known",
              .query_prefix = "",
              .passage_prefix = "",
              .max_tokens = source.shape.positions},
             gguf);
  return source.has_head() ? "cross_encoder" : "embedder";
}

}  // namespace hasten
