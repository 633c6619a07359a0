// No cross-encoder's weights can be had from the package registries: the path is tested with random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "hasten/models.hpp"
#include "models/importers.hpp"
#include "models/llama_cross_encoder.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::error_of;
using test::TemporaryFolder;

const std::vector<std::string> kVocabulary = {"[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "how",  "many",
                                              "moons", "has",   "mars",  "two",   "tea",    "leaf", "##s",
                                              "?",     ".",     "is",    "made",  "of",     "hot"};
constexpr std::size_t kWidth = 64, kLayers = 2, kHeads = 2, kInner = 128, kPositions = 24, kTypes = 2;
constexpr double kEpsilon = 1e-12;

using Tensor = std::vector<float>;
using Weights = std::map<std::string, std::pair<std::vector<std::size_t>, Tensor>>;

Weights random_weights(unsigned seed, std::size_t labels) {
  std::mt19937 random(seed);
  Weights weights;
  const auto add = [&](const std::string& name, std::vector<std::size_t> shape, float spread,
                       float centre = 0) {
    std::normal_distribution<float> normal(centre, spread);
    std::size_t n = 1;
    for (const std::size_t side : shape) n *= side;
    Tensor values(n);
    for (float& x : values) x = normal(random);
    weights[name] = {std::move(shape), std::move(values)};
  };
  const auto linear = [&](const std::string& name, std::size_t out, std::size_t in) {
    add(name + ".weight", {out, in}, 0.12F);
    add(name + ".bias", {out}, 0.1F);
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {kWidth}, 0.1F, 1);
    add(name + ".bias", {kWidth}, 0.1F);
  };
  add("bert.embeddings.word_embeddings.weight", {kVocabulary.size(), kWidth}, 0.5F);
  add("bert.embeddings.position_embeddings.weight", {kPositions, kWidth}, 0.3F);
  add("bert.embeddings.token_type_embeddings.weight", {kTypes, kWidth}, 0.5F);
  norm("bert.embeddings.LayerNorm");
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    const std::string at = "bert.encoder.layer." + std::to_string(layer) + ".";
    for (const char* part : {"query", "key", "value"}) linear(at + "attention.self." + part, kWidth, kWidth);
    linear(at + "attention.output.dense", kWidth, kWidth);
    norm(at + "attention.output.LayerNorm");
    linear(at + "intermediate.dense", kInner, kWidth);
    linear(at + "output.dense", kWidth, kInner);
    norm(at + "output.LayerNorm");
  }
  linear("bert.pooler.dense", kWidth, kWidth);
  linear("classifier", labels, kWidth);
  return weights;
}

/// A folder in Hugging Face's layout.
void write_folder(const fs::path& folder, const Weights& weights, const json& config) {
  fs::create_directories(folder);
  json header = json::object();
  std::string data;
  for (const auto& [name, tensor] : weights) {
    const auto& [shape, values] = tensor;
    const std::size_t from = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {from, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t bytes = text.size();
  std::ofstream out(folder / "model.safetensors", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&bytes), sizeof bytes) << text << data;
  std::ofstream vocabulary(folder / "vocab.txt");
  for (const std::string& piece : kVocabulary) vocabulary << piece << "\n";
  std::ofstream(folder / "config.json") << config;
}

json config() {
  return {{"model_type", "bert"}, {"num_attention_heads", kHeads}, {"layer_norm_eps", kEpsilon}};
}

/// BERT as its paper writes it down, in float64: the slow, obvious twin.
class PlainBert {
 public:
  explicit PlainBert(const Weights& weights) : weights_(weights) {}

  std::vector<double> logits(const std::vector<std::size_t>& ids,
                             const std::vector<std::size_t>& types) const {
    Rows rows;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Row row(kWidth);
      for (std::size_t d = 0; d < kWidth; ++d) {
        row[d] = at("bert.embeddings.word_embeddings.weight", ids[i] * kWidth + d) +
                 at("bert.embeddings.position_embeddings.weight", i * kWidth + d) +
                 at("bert.embeddings.token_type_embeddings.weight", types[i] * kWidth + d);
      }
      rows.push_back(norm(row, "bert.embeddings.LayerNorm"));
    }
    for (std::size_t n = 0; n < kLayers; ++n)
      rows = layer(rows, "bert.encoder.layer." + std::to_string(n) + ".");
    Row pooled = linear(rows.front(), "bert.pooler.dense");
    for (double& x : pooled) x = std::tanh(x);
    return linear(pooled, "classifier");
  }

 private:
  using Row = std::vector<double>;
  using Rows = std::vector<Row>;

  double at(const std::string& name, std::size_t i) const { return weights_.at(name).second.at(i); }

  Row linear(const Row& x, const std::string& name) const {
    const auto& [shape, weight] = weights_.at(name + ".weight");
    Row y(shape[0]);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = at(name + ".bias", i);
      for (std::size_t d = 0; d < x.size(); ++d) y[i] += x[d] * weight[i * x.size() + d];
    }
    return y;
  }

  Row norm(const Row& x, const std::string& name) const {
    double mean = 0, variance = 0;
    for (const double v : x) mean += v / static_cast<double>(x.size());
    for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
    Row y(x.size());
    for (std::size_t d = 0; d < x.size(); ++d) {
      y[d] = (x[d] - mean) / std::sqrt(variance + kEpsilon) * at(name + ".weight", d) + at(name + ".bias", d);
    }
    return y;
  }

  static Row sum(const Row& a, const Row& b) {
    Row y(a);
    for (std::size_t d = 0; d < y.size(); ++d) y[d] += b[d];
    return y;
  }

  /// One head after the other; every token attends to all.
  Row attend(std::size_t i, const Rows& q, const Rows& k, const Rows& v) const {
    constexpr std::size_t kHead = kWidth / kHeads;
    Row y(kWidth);
    for (std::size_t head = 0; head < kWidth; head += kHead) {
      Row weights;
      double total = 0;
      for (std::size_t j = 0; j < k.size(); ++j) {
        double product = 0;
        for (std::size_t d = head; d < head + kHead; ++d) product += q[i][d] * k[j][d];
        weights.push_back(std::exp(product / std::sqrt(double{kHead})));
        total += weights.back();
      }
      for (std::size_t j = 0; j < k.size(); ++j) {
        for (std::size_t d = head; d < head + kHead; ++d) y[d] += weights[j] / total * v[j][d];
      }
    }
    return y;
  }

  Rows layer(const Rows& x, const std::string& name) const {
    Rows q, k, v, y;
    for (const Row& row : x) {
      q.push_back(linear(row, name + "attention.self.query"));
      k.push_back(linear(row, name + "attention.self.key"));
      v.push_back(linear(row, name + "attention.self.value"));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Row attended = linear(attend(i, q, k, v), name + "attention.output.dense");
      const Row between = norm(sum(x[i], attended), name + "attention.output.LayerNorm");
      Row inner = linear(between, name + "intermediate.dense");
      for (double& z : inner) z *= 0.5 * (1 + std::erf(z / std::sqrt(2.0)));
      y.push_back(norm(sum(between, linear(inner, name + "output.dense")), name + "output.LayerNorm"));
    }
    return y;
  }

  const Weights& weights_;
};

/// A question and a passage by their words, and what stands for each in the vocabulary.
struct Pair {
  std::string question, passage;
  std::vector<std::string> question_pieces, passage_pieces;
};

const Pair kPairs[] = {
    {"How many moons has Mars?",
     "Mars has two moons.",
     {"how", "many", "moons", "has", "mars", "?"},
     {"mars", "has", "two", "moons", "."}},
    {"How many moons has Mars?",
     "Hot tea is made of leafs.",
     {"how", "many", "moons", "has", "mars", "?"},
     {"hot", "tea", "is", "made", "of", "leaf", "##s", "."}},
    {"tea?", "Something else", {"tea", "?"}, {"[UNK]", "[UNK]"}},
    {"tea", "", {"tea"}, {}},
    // Longer than the 24 tokens there is room for: the question keeps 12, the passage 9.
    {"tea tea tea tea tea tea tea tea tea tea tea tea tea tea", "two two two two two two two two two two two",
     std::vector<std::string>(12, "tea"), std::vector<std::string>(9, "two")},
};

std::vector<double> plain_logits(const Weights& weights, const Pair& pair) {
  std::vector<std::size_t> ids, types;
  const auto add = [&](const std::string& piece, std::size_t type) {
    const auto found = std::find(kVocabulary.begin(), kVocabulary.end(), piece);
    ids.push_back(static_cast<std::size_t>(found - kVocabulary.begin()));
    types.push_back(type);
  };
  add("[CLS]", 0);
  for (const std::string& piece : pair.question_pieces) add(piece, 0);
  add("[SEP]", 0);
  for (const std::string& piece : pair.passage_pieces) add(piece, 1);
  add("[SEP]", 1);
  return PlainBert(weights).logits(ids, types);
}

double score(const Reranker& reranker, const Pair& pair) {
  Hit hit;
  hit.node.text = pair.passage;
  return reranker.score(pair.question, {&hit, 1}, {}).front();
}

TEST(CrossEncoder, ScoresAsAPlainForwardPassDoes) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    const TemporaryFolder folder;
    const Weights weights = random_weights(seed, 1);
    write_folder(folder / "model", weights, config());
    EXPECT_EQ(import_folder(folder / "model", WeightType::f32, folder / "m.gguf"), "cross_encoder");
    const auto reranker = open_llama_cross_encoder(folder / "m.gguf", "sha", 2);
    std::set<double> different;
    for (const Pair& pair : kPairs) {
      const double scored = score(*reranker, pair);
      EXPECT_NEAR(scored, plain_logits(weights, pair).front(), 1e-3)
          << pair.question << " | " << pair.passage;
      different.insert(scored);
    }
    EXPECT_EQ(different.size(), std::size(kPairs));
  }
}

TEST(CrossEncoder, OfTwoLabelsTheSecondLessTheFirst) {
  const TemporaryFolder folder;
  const Weights weights = random_weights(4, 2);
  write_folder(folder / "model", weights, config());
  import_folder(folder / "model", WeightType::f32, folder / "m.gguf");
  const auto reranker = open_llama_cross_encoder(folder / "m.gguf", "sha", 1);
  const auto logits = plain_logits(weights, kPairs[0]);
  EXPECT_NEAR(score(*reranker, kPairs[0]), logits[1] - logits[0], 2e-3);
}

TEST(CrossEncoder, EightBitWeightsComeNear) {
  const TemporaryFolder folder;
  const Weights weights = random_weights(5, 1);
  write_folder(folder / "model", weights, config());
  import_folder(folder / "model", WeightType::q8_0, folder / "m.gguf");
  const auto reranker = open_llama_cross_encoder(folder / "m.gguf", "sha", 1);
  for (const Pair& pair : kPairs)
    EXPECT_NEAR(score(*reranker, pair), plain_logits(weights, pair).front(), 0.1);
}

TEST(CrossEncoder, APassagesScoreDoesNotDependOnTheOthersOrTheThreads) {
  const TemporaryFolder folder;
  write_folder(folder / "model", random_weights(6, 1), config());
  import_folder(folder / "model", WeightType::q8_0, folder / "m.gguf");
  std::vector<Hit> hits(20);
  for (std::size_t i = 0; i < hits.size(); ++i) hits[i].node.text = kPairs[i % std::size(kPairs)].passage;
  const auto many = ModelStore(folder.path()).reranker((folder / "m.gguf").string(), 3);
  const auto together = many->score("how many?", hits, {});
  const auto one = ModelStore(folder.path()).reranker((folder / "m.gguf").string(), 1);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(one->score("how many?", {&hits[i], 1}, {}).front(), together[i]);
  }
  EXPECT_EQ(one->fingerprint(), many->fingerprint());
}

TEST(CrossEncoder, WhatIsNoneIsRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of([&] { open_llama_cross_encoder(folder / "absent.gguf", "", 1); }).code(),
            Code::not_found);
  const fs::path embedder = ModelStore().install("all-MiniLM-L6-v2").file;
  EXPECT_EQ(error_of([&] { open_llama_cross_encoder(embedder, "", 1); }).code(), Code::corrupt);
  const fs::path generator = ModelStore().install("SmolLM2-135M-Instruct").file;
  EXPECT_EQ(error_of([&] { open_llama_cross_encoder(generator, "", 1); }).code(), Code::corrupt);
  write_folder(folder / "three", random_weights(7, 3), config());
  import_folder(folder / "three", WeightType::f32, folder / "three.gguf");
  EXPECT_EQ(error_of([&] { open_llama_cross_encoder(folder / "three.gguf", "", 1); }).code(),
            Code::unsupported);
}

TEST(ImportFolder, WithoutAHeadItIsAnEmbedder) {
  const TemporaryFolder folder;
  Weights weights = random_weights(8, 1);
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with("classifier"); });
  write_folder(folder / "model", weights, config());
  EXPECT_EQ(import_folder(folder / "model", WeightType::q8_0, folder / "m.gguf"), "embedder");
  const auto embedder = ModelStore(folder.path()).embedder((folder / "m.gguf").string(), 1);
  const std::string_view text = "hot tea";
  EXPECT_EQ(embedder->embed({&text, 1}, Role::query).dim, kWidth);
}

TEST(ImportFolder, WhatItCannotTakeIsSaid) {
  const TemporaryFolder folder;
  const auto code = [&](const fs::path& from) {
    return error_of([&] { import_folder(from, WeightType::f32, folder / "m.gguf"); }).code();
  };
  EXPECT_EQ(code(folder / "nothing"), Code::not_found);
  json other = config();
  other["model_type"] = "xlm-roberta";
  write_folder(folder / "other", random_weights(9, 1), other);
  EXPECT_EQ(code(folder / "other"), Code::unsupported);
  write_folder(folder / "cased", random_weights(9, 1), config());
  std::ofstream(folder / "cased" / "tokenizer_config.json") << R"({"do_lower_case": false})";
  EXPECT_EQ(code(folder / "cased"), Code::unsupported);
  Weights short_types = random_weights(9, 1);
  short_types["bert.encoder.layer.1.output.dense.bias"].second.pop_back();
  write_folder(folder / "short", short_types, config());
  EXPECT_EQ(code(folder / "short"), Code::corrupt);
}

}  // namespace
}  // namespace hasten
