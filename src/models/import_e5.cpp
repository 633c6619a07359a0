#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "hasten/error.hpp"
#include "models/bert_gguf.hpp"
#include "models/gguf_file.hpp"
#include "models/importers.hpp"
#include "models/unigram.hpp"

namespace hasten {
namespace {

/// Reads little-endian values from bytes, in order, within their bounds.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  template <class T>
  std::vector<T> read_many(std::size_t n) {
    const std::string_view bytes = take(n * sizeof(T));
    std::vector<T> values(n);
    bytes.copy(reinterpret_cast<char*>(values.data()), bytes.size());
    return values;
  }

  std::string_view take(std::size_t n) {
    if (n > bytes_.size()) throw Error(Code::corrupt, "the packed e5 model is cut short");
    const std::string_view head = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return head;
  }

 private:
  std::string_view bytes_;
};

struct PackedTensor {
  bool quantised;
  std::string_view data;
};

struct PackedModel {
  BertShape shape;
  UnigramVocabulary vocabulary;
  std::map<std::string, PackedTensor, std::less<>> tensors;
};

std::size_t checked(std::int32_t n) {
  if (n < 0) throw Error(Code::corrupt, "the packed e5 model has a negative count");
  return static_cast<std::size_t>(n);
}

BertShape read_shape(Cursor& in) {
  if (in.take(4) != "E5S1") throw Error(Code::corrupt, "not a packed e5 model ('E5S1')");
  in.read<std::uint32_t>();  // version
  const auto n = in.read_many<std::uint32_t>(7);
  const auto epsilon = in.read<float>();
  if (in.read<std::int32_t>() != 32) throw Error(Code::corrupt, "an e5 model of other blocks");
  return {.width = n[0],
          .layers = n[1],
          .heads = n[2],
          .feed_forward = n[3],
          .vocabulary = n[4],
          .positions = n[5],
          .types = n[6],
          .epsilon = epsilon};
}

// A byte trie of the pieces, out of their text in id order.
std::vector<TrieCell> index_pieces(std::span<const std::uint32_t> offsets, std::string_view text) {
  const auto piece = [&](std::int32_t id) { return text.substr(offsets[id], offsets[id + 1] - offsets[id]); };
  std::vector<std::int32_t> ids(offsets.size() - 1);
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [&](std::int32_t id) {
    return piece(id).empty() || piece(id).find('\0') != std::string_view::npos;
  });
  std::sort(ids.begin(), ids.end(), [&](auto a, auto b) { return piece(a) < piece(b); });
  std::vector<std::string_view> pieces;
  pieces.reserve(ids.size());
  for (const auto id : ids) pieces.push_back(piece(id));
  return build_trie(pieces, ids);
}

UnigramVocabulary read_vocabulary(Cursor& in) {
  UnigramVocabulary vocabulary;
  const std::size_t pieces = checked(in.read<std::int32_t>());
  vocabulary.begin = in.read<std::int32_t>();
  vocabulary.end = in.read<std::int32_t>();
  in.read<std::int32_t>();  // padding
  vocabulary.unknown = in.read<std::int32_t>();
  const auto text_bytes = in.read<std::uint64_t>();
  const auto offsets = in.read_many<std::uint32_t>(pieces + 1);
  vocabulary.scores = in.read_many<float>(pieces);
  const std::string_view text = in.take(text_bytes);
  if (!std::is_sorted(offsets.begin(), offsets.end()) || offsets.back() > text.size()) {
    throw Error(Code::corrupt, "the packed e5 model's vocabulary does not add up");
  }
  vocabulary.trie = index_pieces(offsets, text);

  const std::size_t replaced = checked(in.read<std::int32_t>());
  Cursor map(in.take(in.read<std::uint32_t>()));
  for (std::size_t i = 0; i < replaced; ++i) {
    vocabulary.from.push_back(map.read<std::uint32_t>());
    vocabulary.begins.push_back(static_cast<std::uint32_t>(vocabulary.to.size()));
    const auto by = map.read_many<std::uint32_t>(map.read<std::uint8_t>());
    vocabulary.to.insert(vocabulary.to.end(), by.begin(), by.end());
  }
  vocabulary.begins.push_back(static_cast<std::uint32_t>(vocabulary.to.size()));
  return vocabulary;
}

PackedModel read_packed(std::string_view file) {
  Cursor in(file);
  PackedModel model;
  model.shape = read_shape(in);
  model.vocabulary = read_vocabulary(in);
  const std::size_t tensors = checked(in.read<std::int32_t>());
  for (std::size_t i = 0; i < tensors; ++i) {
    const std::string name(in.take(in.read<std::uint16_t>()));
    const bool quantised = in.read<std::uint8_t>() == 1;
    in.read<std::uint32_t>();  // elements: the shape says so too
    const auto offset = in.read<std::uint64_t>();
    Cursor data(file);
    data.take(offset);
    model.tensors[name] = {quantised, data.take(in.read<std::uint64_t>())};
  }
  return model;
}

}  // namespace

void import_e5(std::string_view packed, const EmbedderFacts& facts, const std::filesystem::path& gguf) {
  PackedModel model = read_packed(packed);
  // Of the token types only the first is kept: no text has a second sentence.
  if (const auto types = model.tensors.find("emb.type"); types != model.tensors.end()) {
    model.shape.types = 1;
    types->second.data = types->second.data.substr(0, model.shape.width * sizeof(float));
  }
  GgufWriter out;
  set_bert_metadata(out, model.shape, facts);
  out.set("tokenizer.ggml.model", std::string("no_vocab"));
  out.set("bert.vocab_size", model.shape.vocabulary);
  out.attach(kUnigramKey, pack(model.vocabulary));
  for (const BertTensor& tensor : bert_tensors(model.shape)) {
    const auto found = model.tensors.find(tensor.e5_name);
    if (found == model.tensors.end()) {
      throw Error(Code::corrupt, fmt::format("the packed e5 model lacks '{}'", tensor.e5_name));
    }
    const auto& [quantised, data] = found->second;
    out.add_tensor(tensor.gguf_name, quantised ? GGML_TYPE_Q4_0 : GGML_TYPE_F32, tensor.shape, data);
  }
  out.write(gguf);
}

}  // namespace hasten
