#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/gguf_file.hpp"
#include "models/importers.hpp"

namespace hasten {

/// The sizes of a BERT encoder.
struct BertShape {
  std::uint32_t width = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t positions = 0;
  std::uint32_t types = 0;
  float epsilon = 0;
};

/// One tensor of a BERT encoder, by its three names.
struct BertTensor {
  std::string gguf_name;            ///< "blk.0.attn_q.weight"
  std::string hf_name;              ///< "encoder.layer.0.attention.self.query.weight"
  std::string e5_name;              ///< "l0.q.w"
  std::vector<std::int64_t> shape;  ///< the fastest dimension first
};

/// Every tensor of such an encoder.
std::vector<BertTensor> bert_tensors(const BertShape& shape);

/// The keys that llama.cpp reads (architecture "bert", mean pooling) and ours.
void set_bert_metadata(GgufWriter& out, const BertShape& shape, const EmbedderFacts& facts);

/// The key that says where a packed unigram vocabulary is attached. Such a file tells llama.cpp
/// that it has no vocabulary, which saves it reading one.
inline constexpr const char* kUnigramKey = "hasten.unigram";

/// The key of a cross-encoder that tells its two texts apart: the second text's tokens have ids that are
/// larger by this number.
inline constexpr const char* kSecondSegmentKey = "hasten.second_segment";

}  // namespace hasten
