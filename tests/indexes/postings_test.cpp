#include "indexes/postings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "hasten/error.hpp"

namespace hasten {
namespace {

struct Posting {
  std::uint32_t position, frequency, length;
  friend bool operator==(const Posting&, const Posting&) = default;
};

std::vector<Posting> random_postings(std::mt19937_64& random, std::size_t n) {
  std::vector<Posting> postings;
  std::uint32_t position = static_cast<std::uint32_t>(random() % 3);
  const std::uint64_t gap = std::uint64_t{1} << random() % 12, most = std::uint64_t{1} << random() % 31;
  for (std::size_t i = 0; i < n; ++i) {
    postings.push_back({position, static_cast<std::uint32_t>(1 + random() % most),
                        static_cast<std::uint32_t>(random() % 500)});
    position += static_cast<std::uint32_t>(1 + random() % gap);
  }
  return postings;
}

Bytes write(const std::vector<Posting>& postings, PostingWriter& writer) {
  for (const Posting& p : postings) writer.add(p.position, p.frequency, p.length);
  Bytes bytes;
  writer.finish(bytes);
  return bytes;
}

// Positions and frequencies; lengths are not in a list.
std::vector<Posting> read(std::span<const std::byte> bytes, std::uint64_t nodes) {
  std::vector<Posting> postings;
  for (PostingReader reader(bytes, nodes); reader.next();) {
    for (std::size_t i = 0; i < reader.positions().size(); ++i) {
      postings.push_back({reader.positions()[i], reader.frequencies()[i] + 1, 0});
    }
  }
  return postings;
}

TEST(Postings, ReadsWhatWasWritten) {
  std::mt19937_64 random(1);
  PostingWriter writer;  // one for all: finish() leaves it as new
  for (std::size_t n : {1, 2, 127, 128, 129, 255, 256, 257, 1000, 1024}) {
    for (int round = 0; round < 20; ++round) {
      auto postings = random_postings(random, n);
      const auto bytes = write(postings, writer);
      EXPECT_TRUE(writer.empty());
      const std::uint64_t nodes = postings.back().position + 1u;
      for (auto& posting : postings) posting.length = 0;
      EXPECT_EQ(PostingReader(bytes, nodes).count(), n);
      EXPECT_EQ(read(bytes, nodes), postings);
      EXPECT_THROW(read(bytes, nodes - 1), Error) << "a position outside of the segment";
    }
  }
}

TEST(Postings, ExtremesAreKept) {
  PostingWriter writer;
  const std::uint32_t last = kSegmentNodesMax - 1;
  const std::vector<Posting> postings{{0, 1u << 31, 0}, {last, 1, 0}};
  EXPECT_EQ(read(write(postings, writer), kSegmentNodesMax), postings);
}

TEST(Postings, BoundsAreThoseOfTheirBlocks) {
  std::mt19937_64 random(2);
  PostingWriter writer;
  const auto postings = random_postings(random, 300);
  const Bytes bytes = write(postings, writer);
  ByteReader reader(bytes);
  EXPECT_EQ(reader.varint(), 300u);
  std::vector<BlockBound> bounds;
  for (int i = 0; i < 3; ++i) bounds.push_back(reader.fixed<BlockBound>());
  EXPECT_EQ(bounds.back().end, reader.take(bounds.back().end).size());
  EXPECT_TRUE(reader.empty());
  for (std::size_t block = 0; block < 3; ++block) {
    std::uint32_t frequency = 0, length = UINT32_MAX;
    const std::size_t end = std::min<std::size_t>(300, (block + 1) * kBlockSize);
    for (std::size_t i = block * kBlockSize; i < end; ++i) {
      frequency = std::max(frequency, postings[i].frequency);
      length = std::min(length, postings[i].length);
    }
    EXPECT_EQ(bounds[block].last_position, postings[end - 1].position);
    EXPECT_EQ(bounds[block].frequency_max, frequency);
    EXPECT_EQ(bounds[block].length_min, length);
  }
}

// Whatever the bytes: either an error, or rising positions of the segment.
TEST(Postings, DamagedListsStayInBounds) {
  std::mt19937_64 random(3);
  PostingWriter writer;
  for (int round = 0; round < 20000; ++round) {
    const auto postings = random_postings(random, 1 + random() % 300);
    const std::uint64_t nodes = postings.back().position + 1u;
    Bytes bytes = write(postings, writer);
    for (std::size_t i = 1 + random() % 4; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      std::uint64_t next = 0;
      for (const Posting& posting : read(bytes, nodes)) {
        ASSERT_GE(posting.position, next);
        ASSERT_LT(posting.position, nodes);
        ASSERT_GT(posting.frequency, 0u);
        next = posting.position + 1u;
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::damaged);
    }
  }
}

TEST(Postings, ForgedListsAreDamaged) {
  const auto bytes = [](std::initializer_list<int> values) {
    Bytes made;
    for (int value : values) made.push_back(static_cast<std::byte>(value));
    return made;
  };
  const struct {
    const char* what;
    Bytes list;
  } kCases[] = {
      {"nothing", {}},
      {"a count without an end", bytes({0xff, 0xff})},
      {"a varint of eleven bytes", bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})},
      {"more postings than nodes", bytes({11, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})},
      {"a position outside", bytes({1, 21})},
      {"a gap beyond 64 bits", bytes({2, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})},
      {"a frequency beyond 31 bits", bytes({1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1})},
      {"no frequency", bytes({1, 0})},
  };
  for (const auto& c : kCases) {
    try {
      read(c.list, 10);
      ADD_FAILURE() << c.what << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged) << c.what;
    }
  }
}

}  // namespace
}  // namespace hasten
