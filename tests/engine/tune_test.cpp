// Measuring indexes over plain vectors, and choosing among what was measured.
#include "engine/tuning/tune.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.hpp"
#include "engine/tuning/index_tuning.hpp"
#include "hasten/error.hpp"
#include "tests/indexes/clustered.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

class Tuning : public ::testing::Test {
 protected:
  static constexpr std::size_t kDim = 48, kQuestions = 20;

  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-tune-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  TuningCorpus corpus(std::size_t n) {
    vectors_ = testing::clustered(n, kDim, 1, 2);
    for (const auto& question : testing::clustered(kQuestions, kDim, 1, 3)) {
      questions_.insert(questions_.end(), question.begin(), question.end());
    }
    TuningCorpus corpus;
    corpus.dim = kDim;
    for (std::size_t i = 0; i < n; ++i)
      corpus.entries.push_back({i + 1, static_cast<std::uint32_t>(i / 7), i});
    corpus.full = [this](std::uint64_t row) -> std::span<const float> { return vectors_[row]; };
    corpus.read = [this](std::uint64_t row, std::span<float> to) {
      std::ranges::copy(vectors_[row], to.begin());
    };
    corpus.questions = questions_;
    return corpus;
  }
  std::vector<TuneCandidate> measure(const TuningCorpus& corpus, const TuneOptions& options,
                                     std::stop_token stop = {}) {
    return measure_indexes(corpus, options, folder_, {}, std::move(stop));
  }

  fs::path folder_;
  std::vector<std::vector<float>> vectors_;
  std::vector<float> questions_;
};

TEST_F(Tuning, EveryKindAndItsCodesAreMeasured) {
  TuneOptions options;
  options.recall = 0.9;
  const auto candidates = measure(corpus(12'000), options);
  ASSERT_EQ(candidates.size(), 6u * 3 + 1);
  for (const TuneCandidate& c : candidates) {
    SCOPED_TRACE(std::string(to_string(c.kind)) + " " + std::string(to_string(c.codes)) + " " + c.skipped);
    if (!c.skipped.empty()) {  // a walk through nodes of so few bytes may cost more than scanning them
      EXPECT_TRUE(c.points.empty());
      continue;
    }
    ASSERT_FALSE(c.points.empty());
    EXPECT_GT(c.disk_bytes, 12'000u * 20);
    EXPECT_GT(c.build_seconds, 0);
    for (std::size_t i = 0; i < c.points.size(); ++i) {
      EXPECT_GT(c.points[i].p50_us, 0);
      EXPECT_LE(c.points[i].p50_us, c.points[i].p99_us);
      EXPECT_GE(c.points[i].recall, i == 0 ? 0 : c.points[i - 1].recall);
      EXPECT_LE(c.points[i].recall, 1);
      EXPECT_EQ(c.points[i].pool == 0, c.kind == IndexKind::flat);
      EXPECT_EQ(c.points[i].probes > 0, c.kind == IndexKind::ivf || c.kind == IndexKind::ivf_pq);
    }
    if (c.best) {
      for (const TunePoint& point : c.points) {
        EXPECT_TRUE(point.recall < 0.9 || point.p50_us >= c.points[*c.best].p50_us);
      }
    }
  }
  const auto find = [&](IndexKind kind, VectorCodes codes) -> const TuneCandidate& {
    return *std::ranges::find_if(candidates,
                                 [&](const auto& c) { return c.kind == kind && c.codes == codes; });
  };
  const TuneCandidate& exact = find(IndexKind::flat, VectorCodes::f32);
  EXPECT_EQ(exact.points.at(0).recall, 1);
  EXPECT_EQ(exact.memory_bytes, exact.disk_bytes + 12'000 * kDim * 4);
  EXPECT_GE(find(IndexKind::flat, VectorCodes::int8).points.at(0).recall, 0.99);
  EXPECT_GE(find(IndexKind::graph, VectorCodes::int8).points.back().recall, 0.9);
  EXPECT_GE(find(IndexKind::ivf, VectorCodes::int8).points.back().recall, 0.9);
  EXPECT_LT(find(IndexKind::flat, VectorCodes::int8).disk_bytes,
            find(IndexKind::flat, VectorCodes::bf16).disk_bytes);
  const TuneCandidate& disk = find(IndexKind::disk, VectorCodes::f32);
  EXPECT_LT(disk.memory_bytes, disk.disk_bytes);
}

TEST_F(Tuning, TheCodesOfAnIndexAreWhatBuildingItWithThemWrites) {
  TuneOptions options;
  options.recall = 0.9;
  options.kinds = {IndexKind::graph, IndexKind::ivf_pq, IndexKind::rabitq};
  options.codes = {VectorCodes::int8};
  const TuningCorpus vectors = corpus(3'000);
  const auto candidates = measure(vectors, options);
  const IndexParameters parameters[] = {
      {.graph = GraphParameters{}}, {.lists = IvfParameters{}}, {.bits = OneBitParameters{}}};
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    VectorBuilder builder(kDim, {Metric::inner_product, Codes::int8});
    for (const VectorEntry& entry : vectors.entries) builder.add(entry, vectors.full(entry.vector));
    const fs::path file = folder_ / "expected.seg";
    SegmentFileWriter writer(file, kFlat);
    builder.write(writer, parameters[i]);
    writer.finish();
    const std::string name = std::string(to_string(candidates[i].kind)) + "-int8.seg";
    EXPECT_TRUE(read_file(folder_ / name) == read_file(file)) << name;
  }
}

TEST_F(Tuning, FewVectorsAreScannedAndTheOthersSayWhy) {
  TuneOptions options;
  options.recall = 0.9;
  for (const TuneCandidate& c : measure(corpus(300), options)) {
    EXPECT_EQ(c.skipped.empty(), c.kind == IndexKind::flat) << c.skipped;
    EXPECT_EQ(c.best.has_value(), c.kind == IndexKind::flat);
  }
}

TEST_F(Tuning, ItCanBeStopped) {
  std::stop_source source;
  source.request_stop();
  try {
    measure(corpus(300), {}, source.get_token());
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
}

// ---- The choice ----

TuneCandidate candidate(IndexKind kind, double us, std::uint64_t memory, std::uint64_t disk,
                        bool reaches = true) {
  TuneCandidate c;
  c.kind = kind;
  c.points = {{.pool = 10, .probes = 0, .recall = reaches ? 0.96 : 0.5, .p50_us = us, .p99_us = us}};
  if (reaches) c.best = 0;
  c.memory_bytes = memory;
  c.disk_bytes = disk;
  return c;
}

struct ChoiceCase {
  const char* name;
  std::vector<TuneCandidate> candidates;
  std::uint64_t memory_max, disk_max;
  std::optional<std::size_t> chosen;
  const char* reason;
};

TEST(TuneChoice, TheFastestWithinTheLimits) {
  const TuneCandidate flat = candidate(IndexKind::flat, 300, 100, 100),
                      graph = candidate(IndexKind::graph, 50, 900, 900),
                      lists = candidate(IndexKind::ivf, 80, 200, 300),
                      as_fast = candidate(IndexKind::ivf_pq, 52, 400, 400),
                      poor = candidate(IndexKind::pq, 1, 1, 1, false);
  const ChoiceCase cases[] = {
      {"the fastest", {flat, graph, lists}, 0, 0, 1, "faster than all others"},
      {"as fast, and smaller", {flat, graph, lists, as_fast}, 0, 0, 3, "graph with int8 codes is as fast"},
      {"recall comes first", {poor, flat}, 0, 0, 1, "flat with int8 codes"},
      {"memory", {flat, graph, lists}, 500, 0, 2, "1 more were over the limits"},
      {"disk", {flat, graph, lists}, 0, 100, 0, "2 more were over the limits"},
      {"nothing within", {flat, graph}, 50, 0, std::nullopt, "more memory or disk"},
      {"nothing reaches", {poor}, 0, 0, std::nullopt, "the best is 0.5000"},
  };
  for (const ChoiceCase& c : cases) {
    SCOPED_TRACE(c.name);
    TuneReport report;
    report.recall = 0.95;
    report.vectors = report.measured = 1000;
    report.candidates = c.candidates;
    TuneOptions options;
    options.memory_bytes_max = c.memory_max;
    options.disk_bytes_max = c.disk_max;
    const TuneChoice choice = choose(report, options);
    EXPECT_EQ(choice.chosen, c.chosen);
    EXPECT_NE(choice.reason.find(c.reason), std::string::npos) << choice.reason;
  }
}

TEST(TuneChoice, LimitsAreOfAllVectorsWhereASampleWasMeasured) {
  TuneReport report;
  report.vectors = 10'000;
  report.measured = 1'000;
  report.candidates = {candidate(IndexKind::graph, 50, 900, 900)};
  TuneOptions options;
  options.memory_bytes_max = 8'999;
  EXPECT_FALSE(choose(report, options).chosen);
  options.memory_bytes_max = 9'000;
  EXPECT_TRUE(choose(report, options).chosen);
}

}  // namespace
}  // namespace hasten
