#include "retrieval/late_interaction.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <thread>

#include "base/files.hpp"
#include "hasten/models.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryFolder;

constexpr std::uint64_t kPlenty = 1 << 24;
constexpr std::string_view kQuestion = "how many moons does Mars have?";

std::shared_ptr<const Embedder> embedder() {
  static const auto opened = ModelStore().embedder("all-MiniLM-L6-v2", 2);
  return opened;
}

std::vector<Hit> passages() {
  std::vector<Hit> hits;
  for (const char* text : {"Tea is made from leaves.", "Mars has two moons, Phobos and Deimos.",
                           "The moon of the Earth is called the Moon.", "", "..."}) {
    hits.emplace_back().node.text = text;
    hits.back().node.group = hits.size() % 2 == 0 ? "FineChunk" : "MediumChunk";
  }
  return hits;
}

std::size_t files_in(const fs::path& folder) {
  return fs::exists(folder) ? static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {})) : 0;
}

TEST(LateInteraction, PutsThePassageThatAnswersFirst) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  const LateInteraction reranker(embedder(), cache, {});
  const auto scores = reranker.score(kQuestion, passages(), {});
  ASSERT_EQ(scores.size(), 5U);
  EXPECT_GT(scores[1], scores[2]);
  EXPECT_GT(scores[2], scores[0]);
  EXPECT_EQ(scores[3], scores[0]) << "a text without tokens is as low as the lowest";
  EXPECT_EQ(scores[4], scores[0]) << "punctuation says nothing";
  EXPECT_NEAR(std::accumulate(scores.begin(), scores.end(), 0.0), 0, 1e-9) << "standard scores";
}

TEST(LateInteraction, HowWellAPassageWasFoundCountsToo) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  const LateInteraction reranker(embedder(), cache, {});
  auto hits = passages();
  const auto without = reranker.score(kQuestion, hits, {});
  const double found[] = {3, 1, 2, 2, 2};  // standard scores: sqrt(5/2) times 1, -1, 0, 0, 0
  for (std::size_t i = 0; i < hits.size(); ++i) hits[i].score = found[i];
  const auto with = reranker.score(kQuestion, hits, {});
  for (std::size_t i = 0; i < hits.size(); ++i) {
    EXPECT_NEAR(with[i] - without[i], (found[i] - 2) * std::sqrt(2.5), 1e-9);
  }
}

TEST(LateInteraction, ScoresAreTheSameWithTheCacheWithoutItAndWhenItIsDamaged) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty), none(folder / "none", 0);
  const LateInteraction kept(embedder(), cache, {}), unkept(embedder(), none, {});
  const auto hits = passages();
  const auto expected = unkept.score(kQuestion, hits, {});
  EXPECT_EQ(kept.score(kQuestion, hits, {}), expected) << "computed";
  EXPECT_EQ(files_in(folder.path()), 5U);
  EXPECT_EQ(kept.score(kQuestion, hits, {}), expected) << "from the cache";
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    write_file_atomically(entry.path(), read_file(entry.path()).substr(0, 40));
  }
  EXPECT_EQ(kept.score(kQuestion, hits, {}), expected) << "cut short";
  EXPECT_EQ(unkept.score(kQuestion, hits, {}), expected);
}

TEST(LateInteraction, OnlyHotGroupsAreKept) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  const LateInteraction reranker(embedder(), cache, {"FineChunk"});
  reranker.score(kQuestion, passages(), {});
  EXPECT_EQ(files_in(folder.path()), 2U);
}

TEST(LateInteraction, ThreadsThatShareACacheAgree) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), 3000);  // too small for all of them: they come and go
  const LateInteraction reranker(embedder(), cache, {});
  const auto hits = passages();
  const auto expected = reranker.score(kQuestion, hits, {});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) EXPECT_EQ(reranker.score(kQuestion, hits, {}), expected);
    });
  }
}

TEST(LateInteraction, NothingToRerank) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  const LateInteraction reranker(embedder(), cache, {});
  EXPECT_TRUE(reranker.score(kQuestion, {}, {}).empty());
  EXPECT_EQ(reranker.score("?!", passages(), {}), std::vector<double>(5, 0.0));
}

/// An embedder of whole texts only.
class WholeTexts : public Embedder {
 public:
  Matrix embed(std::span<const std::string_view>, Role, std::stop_token) const override { return {}; }
  std::size_t dim() const override { return 2; }
  std::size_t max_tokens() const override { return 8; }
  std::string fingerprint() const override { return "whole"; }
};

TEST(LateInteraction, AnEmbedderWithoutVectorsOfTokensIsAnError) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  const Error error = error_of([&] { LateInteraction(std::make_shared<WholeTexts>(), cache, {}); });
  EXPECT_EQ(error.code(), Code::unsupported);
}

}  // namespace
}  // namespace hasten
