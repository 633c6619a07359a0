#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/segment.hpp"
#include "indexes/bitpack.hpp"
#include "indexes/coding.hpp"

namespace hasten {

/// A word segment has at most this many nodes, so that offsets in a posting list fit 32 bits.
inline constexpr std::uint64_t kSegmentNodesMax = std::uint64_t{1} << 28;

/// What a search needs to know of a block of postings without unpacking it: where it ends, and a
/// (frequency, length) pair that no posting of it beats in any BM25. Written for lists of more than
/// one block; a search that skips blocks reads it.
struct BlockBound {
  std::uint32_t last_position;
  std::uint32_t end;  ///< of the block's bytes, from the first block's
  std::uint32_t frequency_max;
  std::uint32_t length_min;
};

/// Writes one posting list: positions in rising order, with frequencies.
/// Layout: varint number of postings; a BlockBound for each block where there is more than one
/// block; full blocks (bits of gaps, bits of frequencies - 1, both packed); the rest as varints
/// (gap * 2 + (frequency is 1), then frequency - 2 where it is not). A gap is what lies between two
/// positions: 0 for neighbours.
class PostingWriter {
 public:
  /// @param position   above the one before. @param frequency  1 or more.
  /// @param length     of the node, in terms.
  void add(std::uint32_t position, std::uint32_t frequency, std::uint32_t length);
  bool empty() const noexcept { return count_ == 0; }
  /// Appends the list and begins the next.
  void finish(Bytes& bytes);

 private:
  void pack_block();
  void put_rest();
  void bound_block();

  std::uint64_t count_ = 0;
  std::uint64_t next_ = 0;  // the lowest position that may come
  std::uint32_t frequency_max_ = 0, length_min_ = 0;
  std::size_t filled_ = 0;        // of the two blocks
  Block gaps_{}, frequencies_{};  // frequencies less 1
  Bytes blocks_;
  std::vector<BlockBound> bounds_;
};

/// Reads a posting list block by block. Whatever the bytes are, positions rise and are below
/// `nodes`: a list that breaks this is Error(damaged).
class PostingReader {
 public:
  PostingReader() = default;
  PostingReader(std::span<const std::byte> list, std::uint64_t nodes);

  std::uint64_t count() const noexcept { return count_; }
  /// Unpacks the next block. False at the end.
  bool next();
  /// Of the block: rising positions, and frequencies less 1.
  std::span<const std::uint32_t> positions() const noexcept { return {positions_.data(), size_}; }
  std::span<const std::uint32_t> frequencies() const noexcept { return {frequencies_.data(), size_}; }

 private:
  ByteReader bytes_;
  std::uint64_t nodes_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t next_position_ = 0;
  std::size_t size_ = 0;
  Block positions_, frequencies_;
};

/// Reads a posting list here and there: a block is unpacked when it is asked for, and what a block can
/// score is known without. As safe as PostingReader.
class PostingCursor {
 public:
  PostingCursor(std::span<const std::byte> list, std::uint64_t nodes);

  std::uint64_t count() const noexcept { return count_; }
  std::size_t blocks() const noexcept { return blocks_; }
  /// The last position of a block. Of a list of one block it is unpacked for that.
  std::uint32_t last_position(std::size_t block);
  /// A (frequency, length) pair that no posting of the block beats. @throws Error(damaged)
  BlockBound bound(std::size_t block);
  /// Unpacks a block, unless it is the one that is unpacked. @throws Error(damaged)
  void load(std::size_t block);
  /// Of the unpacked block: rising positions, and frequencies less 1.
  std::span<const std::uint32_t> positions() const noexcept { return {positions_.data(), size_}; }
  std::span<const std::uint32_t> frequencies() const noexcept { return {frequencies_.data(), size_}; }

 private:
  BlockBound stored_bound(std::size_t block) const;

  std::span<const std::byte> bounds_, postings_;
  std::uint64_t nodes_ = 0, count_ = 0;
  std::size_t blocks_ = 0;
  std::size_t loaded_ = SIZE_MAX;
  std::size_t size_ = 0;
  Block positions_, frequencies_;
};

}  // namespace hasten
