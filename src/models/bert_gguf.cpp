#include "models/bert_gguf.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <array>

namespace hasten {
namespace {

enum class Kind { vector, square, up, down, words, positions, types, up_bias };

struct NameRow {
  Kind kind;
  const char* gguf;
  const char* hf;
  const char* e5;
};

constexpr auto kEmbeddingNames = std::to_array<NameRow>({
    {Kind::words, "token_embd.weight", "embeddings.word_embeddings.weight", "emb.word"},
    {Kind::positions, "position_embd.weight", "embeddings.position_embeddings.weight", "emb.pos"},
    {Kind::types, "token_types.weight", "embeddings.token_type_embeddings.weight", "emb.type"},
    {Kind::vector, "token_embd_norm.weight", "embeddings.LayerNorm.weight", "emb.ln.w"},
    {Kind::vector, "token_embd_norm.bias", "embeddings.LayerNorm.bias", "emb.ln.b"},
});

// After "blk.N.", "encoder.layer.N." and "lN.".
constexpr auto kLayerNames = std::to_array<NameRow>({
    {Kind::square, "attn_q.weight", "attention.self.query.weight", "q.w"},
    {Kind::vector, "attn_q.bias", "attention.self.query.bias", "q.b"},
    {Kind::square, "attn_k.weight", "attention.self.key.weight", "k.w"},
    {Kind::vector, "attn_k.bias", "attention.self.key.bias", "k.b"},
    {Kind::square, "attn_v.weight", "attention.self.value.weight", "v.w"},
    {Kind::vector, "attn_v.bias", "attention.self.value.bias", "v.b"},
    {Kind::square, "attn_output.weight", "attention.output.dense.weight", "ao.w"},
    {Kind::vector, "attn_output.bias", "attention.output.dense.bias", "ao.b"},
    {Kind::vector, "attn_output_norm.weight", "attention.output.LayerNorm.weight", "aln.w"},
    {Kind::vector, "attn_output_norm.bias", "attention.output.LayerNorm.bias", "aln.b"},
    {Kind::up, "ffn_up.weight", "intermediate.dense.weight", "fi.w"},
    {Kind::up_bias, "ffn_up.bias", "intermediate.dense.bias", "fi.b"},
    {Kind::down, "ffn_down.weight", "output.dense.weight", "fo.w"},
    {Kind::vector, "ffn_down.bias", "output.dense.bias", "fo.b"},
    {Kind::vector, "layer_output_norm.weight", "output.LayerNorm.weight", "oln.w"},
    {Kind::vector, "layer_output_norm.bias", "output.LayerNorm.bias", "oln.b"},
});

std::vector<std::int64_t> shape_of(Kind kind, const BertShape& shape) {
  switch (kind) {
    case Kind::vector:
      return {shape.width};
    case Kind::up_bias:
      return {shape.feed_forward};
    case Kind::square:
      return {shape.width, shape.width};
    case Kind::up:
      return {shape.width, shape.feed_forward};
    case Kind::down:
      return {shape.feed_forward, shape.width};
    case Kind::words:
      return {shape.width, shape.vocabulary};
    case Kind::positions:
      return {shape.width, shape.positions};
    case Kind::types:
      return {shape.width, shape.types};
  }
  return {};
}

}  // namespace

std::vector<BertTensor> bert_tensors(const BertShape& shape) {
  std::vector<BertTensor> tensors;
  for (const NameRow& row : kEmbeddingNames) {
    tensors.push_back({row.gguf, row.hf, row.e5, shape_of(row.kind, shape)});
  }
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    for (const NameRow& row : kLayerNames) {
      tensors.push_back({fmt::format("blk.{}.{}", layer, row.gguf),
                         fmt::format("encoder.layer.{}.{}", layer, row.hf),
                         fmt::format("l{}.{}", layer, row.e5), shape_of(row.kind, shape)});
    }
  }
  return tensors;
}

void set_bert_metadata(GgufWriter& out, const BertShape& shape, const EmbedderFacts& facts) {
  out.set("general.architecture", std::string("bert"));
  out.set("general.name", std::string(facts.name));
  out.set("general.license", std::string(facts.licence));
  out.set("bert.context_length", shape.positions);
  out.set("bert.embedding_length", shape.width);
  out.set("bert.feed_forward_length", shape.feed_forward);
  out.set("bert.block_count", shape.layers);
  out.set("bert.attention.head_count", shape.heads);
  out.set("bert.attention.layer_norm_epsilon", shape.epsilon);
  out.set("bert.attention.causal", false);
  out.set("bert.pooling_type", std::uint32_t{LLAMA_POOLING_TYPE_MEAN});
  out.set("tokenizer.ggml.token_type_count", shape.types);
  out.set("hasten.query_prefix", std::string(facts.query_prefix));
  out.set("hasten.passage_prefix", std::string(facts.passage_prefix));
  out.set("hasten.max_tokens", std::uint32_t{facts.max_tokens});
}

}  // namespace hasten
