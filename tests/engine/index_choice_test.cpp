#include "engine/ingest/index_choice.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hasten/error.hpp"
#include "tests/indexes/clustered.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

constexpr std::uint64_t kGigabyte = 1'000'000'000;

constexpr IndexKind kEvery[] = {IndexKind::flat,   IndexKind::graph,  IndexKind::ivf, IndexKind::pq,
                                IndexKind::ivf_pq, IndexKind::rabitq, IndexKind::disk};

struct Chosen {
  IndexKind wanted;
  VectorCodes codes;
  std::size_t nodes, dim;
  std::uint64_t memory_bytes;
  IndexKind kind;
  Codes kept;
};

std::string name(const Chosen& c) {
  return std::string(to_string(c.wanted)) + ", " + std::string(to_string(c.codes)) + ", " +
         std::to_string(c.nodes) + " x " + std::to_string(c.dim) + ", " + std::to_string(c.memory_bytes) +
         " bytes of memory";
}

void expect_all(const std::vector<Chosen>& table) {
  for (const Chosen& c : table) {
    const IndexChoice choice = choose_index({c.wanted, c.codes}, c.nodes, c.dim, c.memory_bytes);
    EXPECT_EQ(to_string(choice.kind), to_string(c.kind)) << name(c);
    EXPECT_EQ(choice.form.codes, c.kept) << name(c);
    EXPECT_EQ(choice.form.metric, Metric::inner_product) << name(c);
  }
}

// At 384 dimensions a node of a graph takes 2,072 bytes (a record of 1,664, a code of 384, numbers of 24),
// building one 684. Half of the memory may be taken.
TEST(IndexChoice, SmartGoesBySizeAndMemory) {
  using enum IndexKind;
  const auto int8 = VectorCodes::int8;
  constexpr std::uint64_t graph_of_a_million = 2 * 2'072'000'000ull, built_of_a_million = 2 * 684'000'000ull;
  expect_all({
      {smart, int8, 0, 384, 24 * kGigabyte, flat, Codes::int8},
      {smart, int8, 1, 384, 24 * kGigabyte, flat, Codes::int8},
      {smart, int8, 9'999, 384, 24 * kGigabyte, flat, Codes::int8},
      {smart, int8, 9'999, 384, 0, flat, Codes::int8},
      {smart, int8, 10'000, 384, 24 * kGigabyte, graph, Codes::int8},
      {smart, int8, 1'000'000, 384, graph_of_a_million, graph, Codes::int8},
      {smart, int8, 1'000'000, 384, graph_of_a_million - 2, disk, Codes::f32},
      {smart, int8, 1'000'001, 384, graph_of_a_million, disk, Codes::f32},
      {smart, int8, 1'000'000, 384, built_of_a_million, disk, Codes::f32},
      {smart, int8, 1'000'000, 384, built_of_a_million - 2, ivf_pq, Codes::int8},
      {smart, int8, 10'000, 384, 0, ivf_pq, Codes::int8},
      {smart, int8, 1'000'000, 32, graph_of_a_million - 2, graph, Codes::int8},  // smaller vectors
      {smart, int8, 1'000'000, 1024, graph_of_a_million, disk, Codes::f32},      // larger ones
      {smart, VectorCodes::bf16, 10'000, 384, 24 * kGigabyte, graph, Codes::bf16},
      {smart, VectorCodes::f32, 10'000, 384, 0, ivf_pq, Codes::f32},
      {smart, VectorCodes::bf16, 1'000'000, 384, graph_of_a_million - 2, disk, Codes::f32},
  });
}

TEST(IndexChoice, WhatIsAskedForIsTakenFromAThousandNodesOn) {
  for (const IndexKind kind : kEvery) {
    for (const std::uint64_t memory_bytes : {std::uint64_t{0}, 24 * kGigabyte}) {
      const auto kept = kind == IndexKind::disk ? Codes::f32 : Codes::bf16;
      expect_all({{kind, VectorCodes::bf16, 999, 384, memory_bytes, IndexKind::flat, Codes::bf16},
                  {kind, VectorCodes::bf16, 1'000, 384, memory_bytes, kind, kept},
                  {kind, VectorCodes::bf16, 10'000'000, 384, memory_bytes, kind, kept}});
    }
  }
}

TEST(IndexChoice, CodesAreThoseThatAreAskedFor) {
  using enum IndexKind;
  for (const auto& [codes, kept] : {std::pair{VectorCodes::int8, Codes::int8},
                                    {VectorCodes::bf16, Codes::bf16},
                                    {VectorCodes::f32, Codes::f32}}) {
    expect_all({{flat, codes, 5'000, 384, kGigabyte, flat, kept},
                {ivf_pq, codes, 5'000, 384, kGigabyte, ivf_pq, kept},
                {disk, codes, 5'000, 384, kGigabyte, disk, Codes::f32}});
  }
}

TEST(IndexChoice, ThisMachinesMemoryIsTakenWhereNoneIsGiven) {
  const IndexSettings settings;
  EXPECT_EQ(choose_index(settings, 9'999, 384).kind, IndexKind::flat);
  EXPECT_NE(choose_index(settings, 10'000, 384).kind, IndexKind::flat);
  EXPECT_EQ(choose_index(settings, std::size_t{1} << 40, 384).kind, IndexKind::ivf_pq);
}

// What is built as it was chosen is recognised, and as nothing else.
TEST(IndexChoice, ASegmentHasWhatWasChosenForIt) {
  constexpr std::size_t nodes = 1'000, built = 200, dim = 16;  // as for a thousand, of fewer: in less time
  const auto vectors = testing::clustered(built, dim, 1, 2);
  for (const IndexKind kind : kEvery) {
    for (const VectorCodes codes : {VectorCodes::int8, VectorCodes::bf16, VectorCodes::f32}) {
      const IndexChoice choice = choose_index({kind, codes}, nodes, dim, kGigabyte);
      VectorBuilder builder(dim, choice.form);
      for (std::size_t i = 0; i < built; ++i) builder.add({i, static_cast<std::uint32_t>(i), i}, vectors[i]);
      MemorySegment memory;
      builder.write(memory, choice.parameters);
      const VectorSegment segment(memory);
      EXPECT_EQ(to_string(kind_of(segment)), to_string(kind));
      for (const IndexKind other : kEvery) {
        for (const VectorCodes kept : {VectorCodes::int8, VectorCodes::bf16, VectorCodes::f32}) {
          const bool same = other == kind && (kept == codes || kind == IndexKind::disk);
          EXPECT_EQ(has_index(segment, choose_index({other, kept}, nodes, dim, kGigabyte)), same)
              << to_string(kind) << ", " << to_string(codes) << " for " << to_string(other) << ", "
              << to_string(kept);
        }
      }
    }
  }
}

TEST(IndexChoice, WordsAreReadAsTheyAreWritten) {
  for (const char* word : {"smart", "flat", "graph", "ivf", "pq", "ivf_pq", "rabitq", "disk"}) {
    EXPECT_EQ(to_string(index_kind_from_string(word)), word);
  }
  for (const char* word : {"int8", "bf16", "f32"}) EXPECT_EQ(to_string(vector_codes_from_string(word)), word);
}

TEST(IndexChoice, AnUnknownWordIsAnErrorWithTheNearestKnown) {
  struct Row {
    std::string (*read)(const char*);
    const char* word;
    const char* message;
  };
  const auto kind = [](const char* word) { return std::string(to_string(index_kind_from_string(word))); };
  const auto codes = [](const char* word) { return std::string(to_string(vector_codes_from_string(word))); };
  const char* kinds = "known: smart, flat, graph, ivf, pq, ivf_pq, rabitq, disk";
  const Row table[] = {{kind, "grpah", "no index 'grpah', did you mean 'graph'?"},
                       {kind, "ivfpq", "no index 'ivfpq', did you mean 'ivf_pq'?"},
                       {kind, "rabit", "no index 'rabit', did you mean 'rabitq'?"},
                       {kind, "hnsw", kinds},
                       {kind, "", kinds},
                       {kind, "Flat", "did you mean 'flat'?"},
                       {codes, "int9", "no codes 'int9', did you mean 'int8'?"},
                       {codes, "fp16", "known: int8, bf16, f32"}};
  for (const Row& row : table) {
    try {
      ADD_FAILURE() << row.word << " was read as " << row.read(row.word);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string(error.what()).find(row.message), std::string::npos) << error.what();
    }
  }
}

TEST(IndexChoice, OtherCodesAreARewritingUnderSmartToo) {
  constexpr std::size_t kNodes = 2'000, kDim = 8;
  const auto vectors = testing::clustered(kNodes, kDim, 1, 1);
  VectorBuilder builder(kDim);
  for (std::size_t i = 0; i < kNodes; ++i) builder.add({i, 0, i}, vectors[i]);
  MemorySegment memory;
  builder.write(memory, {.bits = OneBitParameters{}});
  const VectorSegment segment(memory);
  EXPECT_FALSE(
      wants_rewriting(segment, {IndexKind::smart, VectorCodes::int8}, kNodes));  // another kind is kept
  EXPECT_TRUE(wants_rewriting(segment, {IndexKind::smart, VectorCodes::bf16}, kNodes));
  EXPECT_FALSE(wants_rewriting(segment, {IndexKind::rabitq, VectorCodes::int8}, kNodes));
  EXPECT_TRUE(wants_rewriting(segment, {IndexKind::flat, VectorCodes::int8}, kNodes));
}

}  // namespace
}  // namespace hasten
