#include "indexes/postings.hpp"

#include <algorithm>
#include <cassert>

#include "hasten/error.hpp"

namespace hasten {
namespace {

[[noreturn]] void damaged() {
  throw Error(Code::damaged, "a posting list of the segment is wrong");
}

constexpr unsigned kFrequencyBitsMax = 31;  // of a frequency less 1: adding 1 cannot overflow

std::uint64_t blocks(std::uint64_t postings) { return (postings + kBlockSize - 1) / kBlockSize; }

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
  bounds_.push_back({static_cast<std::uint32_t>(next_ - 1),
                     static_cast<std::uint32_t>(blocks_.size()), frequency_max_, length_min_});
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
  size_ == kBlockSize ? unpack_block() : read_rest();
  if (next_position_ > nodes_) damaged();
  return true;
}

void PostingReader::unpack_block() {
  const auto gap_bits = bytes_.fixed<std::uint8_t>();
  const auto frequency_bits = bytes_.fixed<std::uint8_t>();
  if (gap_bits > 32 || frequency_bits > kFrequencyBitsMax) damaged();
  unpack(bytes_.take(packed_bytes(gap_bits)), gap_bits, positions_);
  unpack(bytes_.take(packed_bytes(frequency_bits)), frequency_bits, frequencies_);
  // Summed in 64 bits, where 128 gaps cannot overflow: if the last position is below nodes_, all
  // are.
  std::uint64_t next = next_position_;
  for (std::uint32_t& position : positions_) {
    next += position;
    position = static_cast<std::uint32_t>(next++);
  }
  next_position_ = next;
}

void PostingReader::read_rest() {
  for (std::size_t i = 0; i < size_; ++i) {
    const std::uint64_t code = bytes_.varint();
    const std::uint64_t more = (code & 1) != 0 ? 0 : bytes_.varint() + 1;
    if (code >> 1 >= nodes_ || more >> kFrequencyBitsMax != 0) damaged();
    next_position_ += code >> 1;
    positions_[i] = static_cast<std::uint32_t>(next_position_++);
    frequencies_[i] = static_cast<std::uint32_t>(more);
  }
}

}  // namespace hasten
