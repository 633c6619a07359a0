#include "indexes/postings.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "hasten/error.hpp"

namespace hasten {
namespace {

[[noreturn]] void damaged() { throw Error(Code::damaged, "a posting list of the segment is wrong"); }

constexpr unsigned kFrequencyBitsMax = 31;  // of a frequency less 1: adding 1 cannot overflow

std::uint64_t blocks(std::uint64_t postings) { return (postings + kBlockSize - 1) / kBlockSize; }

// Unpacks a full block whose first position is `next` or later. @return the next that may come.
std::uint64_t unpack_postings(ByteReader& bytes, std::uint64_t next, Block& positions, Block& frequencies) {
  const auto gap_bits = bytes.fixed<std::uint8_t>();
  const auto frequency_bits = bytes.fixed<std::uint8_t>();
  if (gap_bits > 32 || frequency_bits > kFrequencyBitsMax) damaged();
  unpack(bytes.take(packed_bytes(gap_bits)), gap_bits, positions);
  unpack(bytes.take(packed_bytes(frequency_bits)), frequency_bits, frequencies);
  // Summed in 64 bits, where 128 gaps cannot overflow: if the last position is in range, all are.
  for (std::uint32_t& position : positions) {
    next += position;
    position = static_cast<std::uint32_t>(next++);
  }
  return next;
}

// The same of a block that is not full.
std::uint64_t read_postings(ByteReader& bytes, std::uint64_t next, std::uint64_t nodes, std::size_t n,
                            Block& positions, Block& frequencies) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t code = bytes.varint();
    const std::uint64_t more = (code & 1) != 0 ? 0 : bytes.varint() + 1;
    if (code >> 1 >= nodes || more >> kFrequencyBitsMax != 0) damaged();
    next += code >> 1;
    positions[i] = static_cast<std::uint32_t>(next++);
    frequencies[i] = static_cast<std::uint32_t>(more);
  }
  return next;
}

// The next block of n postings. @return the next position that may come.
std::uint64_t decode(ByteReader& bytes, std::uint64_t next, std::uint64_t nodes, std::size_t n,
                     Block& positions, Block& frequencies) {
  return n == kBlockSize ? unpack_postings(bytes, next, positions, frequencies)
                         : read_postings(bytes, next, nodes, n, positions, frequencies);
}

}  // namespace

void PostingWriter::add(std::uint32_t position, std::uint32_t frequency, std::uint32_t length) {
  assert(position >= next_ && frequency > 0 && (frequency - 1) >> kFrequencyBitsMax == 0);
  gaps_[filled_] = static_cast<std::uint32_t>(position - next_);
  frequencies_[filled_] = frequency - 1;
  frequency_max_ = filled_ == 0 ? frequency : std::max(frequency_max_, frequency);
  length_min_ = filled_ == 0 ? length : std::min(length_min_, length);
  next_ = std::uint64_t{position} + 1;
  ++count_;
  if (++filled_ == kBlockSize) pack_block();
}

void PostingWriter::pack_block() {
  const unsigned gap_bits = bits_needed(gaps_), frequency_bits = bits_needed(frequencies_);
  blocks_.push_back(static_cast<std::byte>(gap_bits));
  blocks_.push_back(static_cast<std::byte>(frequency_bits));
  pack(gaps_, gap_bits, blocks_);
  pack(frequencies_, frequency_bits, blocks_);
  bound_block();
}

void PostingWriter::put_rest() {
  for (std::size_t i = 0; i < filled_; ++i) {
    put_varint(blocks_, std::uint64_t{gaps_[i]} << 1 | (frequencies_[i] == 0));
    if (frequencies_[i] > 0) put_varint(blocks_, frequencies_[i] - 1);
  }
  bound_block();
}

void PostingWriter::bound_block() {
  bounds_.push_back({static_cast<std::uint32_t>(next_ - 1), static_cast<std::uint32_t>(blocks_.size()),
                     frequency_max_, length_min_});
  filled_ = 0;
}

void PostingWriter::finish(Bytes& bytes) {
  if (filled_ > 0) put_rest();
  put_varint(bytes, count_);
  if (bounds_.size() > 1) {
    for (const BlockBound& bound : bounds_) put_fixed(bytes, bound);
  }
  bytes.insert(bytes.end(), blocks_.begin(), blocks_.end());
  count_ = next_ = 0;
  blocks_.clear();
  bounds_.clear();
}

PostingReader::PostingReader(std::span<const std::byte> list, std::uint64_t nodes)
    : bytes_(list), nodes_(nodes), count_(bytes_.varint()), left_(count_) {
  if (count_ > nodes_) damaged();
  if (count_ > kBlockSize) bytes_.take(blocks(count_) * sizeof(BlockBound));
}

bool PostingReader::next() {
  size_ = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kBlockSize));
  if (size_ == 0) return false;
  left_ -= size_;
  next_position_ = decode(bytes_, next_position_, nodes_, size_, positions_, frequencies_);
  if (next_position_ > nodes_) damaged();
  return true;
}

PostingCursor::PostingCursor(std::span<const std::byte> list, std::uint64_t nodes) : nodes_(nodes) {
  ByteReader bytes(list);
  count_ = bytes.varint();
  if (count_ > nodes_) damaged();
  blocks_ = static_cast<std::size_t>(hasten::blocks(count_));
  if (count_ > kBlockSize) bounds_ = bytes.take(blocks_ * sizeof(BlockBound));
  postings_ = bytes.rest();
}

BlockBound PostingCursor::stored_bound(std::size_t block) const {
  BlockBound bound;
  std::memcpy(&bound, bounds_.data() + block * sizeof(BlockBound), sizeof(BlockBound));
  return bound;
}

std::uint32_t PostingCursor::last_position(std::size_t block) {
  if (blocks_ > 1) return stored_bound(block).last_position;
  load(block);
  return positions_[size_ - 1];
}

BlockBound PostingCursor::bound(std::size_t block) {
  if (blocks_ > 1) return stored_bound(block);
  load(block);
  return {positions_[size_ - 1], 0, *std::ranges::max_element(frequencies()) + 1, 0};
}

void PostingCursor::load(std::size_t block) {
  if (block == loaded_) return;
  loaded_ = SIZE_MAX;
  std::uint64_t from = 0, next = 0;
  if (block > 0) {
    const BlockBound before = stored_bound(block - 1);
    from = before.end;
    next = std::uint64_t{before.last_position} + 1;
  }
  if (from > postings_.size()) damaged();
  ByteReader bytes(postings_.subspan(from));
  const std::uint64_t left = count_ - block * kBlockSize;
  size_ = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlockSize));
  next = decode(bytes, next, nodes_, size_, positions_, frequencies_);
  if (next > nodes_ || (blocks_ > 1 && next != std::uint64_t{stored_bound(block).last_position} + 1))
    damaged();
  loaded_ = block;
}

}  // namespace hasten
