#include "hasten/embedder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.hpp"
#include "hasten/models.hpp"
#include "models/tokenizer.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A model and how near it must come to the other implementation of it.
struct ModelCase {
  const char* name;
  const char* reference;
  double cosine_least;  ///< MiniLM's matrices are Q8_0, e5's are the package's own 4-bit rows
  std::size_t max_tokens;
};

const ModelCase kModels[] = {
    {"multilingual-e5-small", "reference_e5.json", 0.9999, 512},
    {"all-MiniLM-L6-v2", "reference_minilm.json", 0.999, 256},
};

/// The models are installed once, into the user's folder, and opened once.
const Embedder& embedder(const ModelCase& model) {
  static std::map<std::string, std::shared_ptr<const Embedder>> opened;
  auto& embedder = opened[model.name];
  if (!embedder) embedder = ModelStore().embedder(model.name, 2);
  return *embedder;
}

fs::path file_of(const ModelCase& model) { return ModelStore().install(model.name).file; }

json reference(const ModelCase& model) {
  return json::parse(read_file(fs::path(HASTEN_SOURCE_DIR) / "tests/models" / model.reference));
}

std::vector<float> embed_one(const Embedder& embedder, std::string_view text, Role role) {
  return embedder.embed({&text, 1}, role).values;
}

double dot(std::span<const float> a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b.at(i);
  return sum;
}

class EachModel : public ::testing::TestWithParam<ModelCase> {};
INSTANTIATE_TEST_SUITE_P(Models, EachModel, ::testing::ValuesIn(kModels),
                         [](const auto& model) { return model.index == 0 ? "e5" : "MiniLM"; });

TEST_P(EachModel, TokenisesAsTheOriginalDoes) {
  const auto tokenizer = open_tokenizer(file_of(GetParam()));
  for (const json& row : reference(GetParam())) {
    const auto expected = row.at("tokens").get<std::vector<std::int32_t>>();
    EXPECT_EQ(tokenizer->encode(row.at("text").get<std::string>()), expected) << row.at("text");
  }
}

TEST_P(EachModel, EmbedsAsTheOriginalDoes) {
  for (const json& row : reference(GetParam())) {
    const auto text = row.at("text").get<std::string>();
    for (const auto& [role, key] : {std::pair(Role::query, "query"), {Role::passage, "passage"}}) {
      if (!row.contains(key)) continue;
      const auto vector = embed_one(embedder(GetParam()), text, role);
      EXPECT_GE(dot(vector, row.at(key).get<std::vector<float>>()), GetParam().cosine_least)
          << key << ": " << text;
    }
  }
}

TEST_P(EachModel, AVectorHasTheSameBitsWhateverItIsEmbeddedBeside) {
  std::vector<std::string> texts;
  for (const json& row : reference(GetParam())) texts.push_back(row.at("text"));
  for (const json& row : reference(GetParam())) texts.push_back(row.at("text"));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const Matrix together = embedder(GetParam()).embed(views, Role::passage);
  ASSERT_EQ(together.rows, views.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto alone = embed_one(embedder(GetParam()), views[i], Role::passage);
    ASSERT_EQ(std::memcmp(alone.data(), together.row(i).data(), alone.size() * sizeof(float)), 0) << texts[i];
  }
}

TEST_P(EachModel, ManyThreadsMayAskAtOnce) {
  const auto expected = embed_one(embedder(GetParam()), "one text", Role::query);
  std::vector<std::vector<float>> got(6);
  {
    std::vector<std::jthread> threads;
    for (auto& vector : got) {
      threads.emplace_back([&] { vector = embed_one(embedder(GetParam()), "one text", Role::query); });
    }
  }
  for (const auto& vector : got) EXPECT_EQ(vector, expected);
}

TEST_P(EachModel, TakesAnyText) {
  std::string lengthy;
  while (lengthy.size() < 100000) lengthy += "the committee met on Tuesday 北京 ";
  const std::string_view texts[] = {"",
                                    " ",
                                    lengthy,
                                    "\xFF\xFE broken \xE5\x8C bytes",
                                    std::string_view("a\0b", 3),
                                    std::string_view("\0", 1),
                                    "[CLS] </s> <s> [SEP] <unk>",
                                    "😀👩‍👩‍👧 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ﷽"};
  const Matrix vectors = embedder(GetParam()).embed(texts, Role::passage);
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    double squares = 0;
    for (const float x : vectors.row(i)) squares += double{x} * x;
    EXPECT_NEAR(std::sqrt(squares), 1, 1e-5) << i;
  }
  EXPECT_EQ(embedder(GetParam()).embed({}, Role::query).rows, 0U);
}

TEST_P(EachModel, ATextTooLongIsCut) {
  std::string one;
  for (std::size_t i = 0; i < GetParam().max_tokens; ++i) one += "word ";
  const auto cut = embed_one(embedder(GetParam()), one, Role::query);
  EXPECT_EQ(cut, embed_one(embedder(GetParam()), one + "and quite another end", Role::query));
  EXPECT_EQ(embedder(GetParam()).max_tokens(), GetParam().max_tokens);
}

TEST_P(EachModel, StopsWhenAskedTo) {
  std::stop_source stop;
  stop.request_stop();
  const std::string_view text = "a text";
  const auto error = test::error_of([&] {
    embedder(GetParam()).embed({&text, 1}, Role::query, stop.get_token());
  });
  EXPECT_EQ(error.code(), Code::cancelled);
}

TEST_P(EachModel, CountsTokensWithoutLoadingWeights) {
  const auto counter = ModelStore().token_counter(GetParam().name);
  for (const json& row : reference(GetParam())) {
    EXPECT_EQ(counter->count(row.at("text").get<std::string>()), row.at("tokens").size());
  }
  EXPECT_EQ(counter->count(""), 0U);
  EXPECT_EQ(counter->name(), GetParam().name);
}

TEST_P(EachModel, TheFingerprintIsKnownWithoutLoading) {
  const ModelStore store;
  const std::string fingerprint = store.fingerprint(GetParam().name);
  EXPECT_EQ(fingerprint, embedder(GetParam()).fingerprint());
  const auto info = store.install(GetParam().name);
  EXPECT_NE(fingerprint.find(info.sha256), std::string::npos);
  EXPECT_NE(fingerprint.find("mean"), std::string::npos);
  // A file is known by its contents, and remembered until it changes.
  const test::TemporaryFolder home;
  const ModelStore other(home.path());
  EXPECT_EQ(other.fingerprint(info.file.string()), fingerprint);
  EXPECT_EQ(other.embedder(info.file.string(), 1)->fingerprint(), fingerprint);
  EXPECT_NE(read_file(home / "fingerprints.json").find(info.sha256), std::string::npos);
}

TEST_P(EachModel, AFileCutShortIsAnErrorAndSaysSo) {
  const test::TemporaryFolder home;
  const fs::path whole = file_of(GetParam());
  const fs::path copy = home / "models" / whole.filename();
  fs::create_directories(home / "models");
  fs::copy_file(whole, copy);
  fs::copy_file(fs::path(whole).replace_extension(".json"), fs::path(copy).replace_extension(".json"));
  const ModelStore store(home.path());
  EXPECT_EQ(store.fingerprint(GetParam().name), embedder(GetParam()).fingerprint());
  const auto bytes = fs::file_size(copy);
  for (const auto left : {bytes - 1, bytes / 2, std::uintmax_t{100}, std::uintmax_t{0}}) {
    fs::resize_file(copy, left);
    const auto by_name = test::error_of([&] { store.embedder(GetParam().name); });
    EXPECT_EQ(by_name.code(), Code::corrupt) << by_name.what();
    const std::string says = "is cut short: " + std::to_string(left) + " of " + std::to_string(bytes) +
                             " bytes; `hasten model install";
    EXPECT_NE(std::string(by_name.what()).find(says), std::string::npos) << by_name.what();
    const auto by_file = test::error_of([&] { store.embedder(copy.string()); });
    EXPECT_EQ(by_file.code(), Code::corrupt) << left << ": " << by_file.what();
  }
}

TEST(Embedder, FindsThePassageInTwoLanguages) {
  const std::string_view passages[] = {
      "截至2023年,北京地铁共有27条线路,490座车站。", "上海的城市轨道交通运营里程居全国第一。",
      "The Eiffel Tower is 330 metres tall.", "Bananas are rich in potassium."};
  const Matrix vectors = embedder(kModels[0]).embed(passages, Role::passage);
  const auto nearest = [&](std::string_view question) {
    const auto query = embed_one(embedder(kModels[0]), question, Role::query);
    std::size_t best = 0;
    for (std::size_t i = 1; i < vectors.rows; ++i) {
      if (dot(vectors.row(i), query) > dot(vectors.row(best), query)) best = i;
    }
    return best;
  };
  EXPECT_EQ(nearest("北京有多少地铁站?"), 0U);
  EXPECT_EQ(nearest("How many metro stations does Beijing have?"), 0U);
  EXPECT_EQ(nearest("How high is the Eiffel tower?"), 2U);
  EXPECT_EQ(nearest("埃菲尔铁塔有多高?"), 2U);
}

}  // namespace
}  // namespace hasten
