#include "stores/vector_records.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hashing.hpp"
#include "core/ids.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

static_assert(std::endian::native == std::endian::little, "vector files are little-endian");

constexpr std::uint64_t kMappedBytesMin = std::uint64_t{64} << 20;
constexpr std::uint64_t kAheadBytes = std::uint64_t{1} << 20;

}  // namespace

std::vector<std::byte> pack_records(const VectorLayout& layout, std::span<const Id> text_hashes,
                                    std::span<const float> values) {
  std::vector<std::byte> records(text_hashes.size() * layout.record_bytes());
  for (std::size_t i = 0; i < text_hashes.size(); ++i) {
    std::byte* const record = records.data() + i * layout.record_bytes();
    std::memcpy(record, id_bytes(text_hashes[i]).data(), VectorLayout::kHashBytes);
    std::memcpy(record + VectorLayout::kHashBytes, values.data() + i * layout.dim,
                layout.dim * sizeof(float));
    const std::uint64_t sum = checksum(std::span(record, layout.checked_bytes()));
    std::memcpy(record + layout.checked_bytes(), &sum, sizeof sum);
  }
  return records;
}

bool is_whole(const VectorLayout& layout, std::span<const std::byte> record) {
  std::uint64_t sum = 0;
  std::memcpy(&sum, record.data() + layout.checked_bytes(), sizeof sum);
  return checksum(record.first(layout.checked_bytes())) == sum;
}

/// Room for more records than the file has yet, so that a growing file is seldom mapped anew.
struct MappedRecords::Mapping {
  const std::byte* data;
  std::uint64_t bytes;
  std::uint64_t records;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked;  // bit i: record i was found whole

  Mapping(const std::byte* mapped, std::uint64_t size, std::uint64_t n)
      : data(mapped),
        bytes(size),
        records(n),
        checked(std::make_unique<std::atomic<std::uint64_t>[]>(n / 64 + 1)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { ::munmap(const_cast<std::byte*>(data), bytes); }
};

MappedRecords::MappedRecords(const File& file, const std::filesystem::path& path, VectorLayout layout)
    : file_(file), path_(path), layout_(layout) {}

MappedRecords::~MappedRecords() = default;

const MappedRecords::Mapping* MappedRecords::mapping_for(std::uint64_t index) const {
  const Mapping* mapping = current_.load(std::memory_order_acquire);
  if (mapping != nullptr && index < mapping->records) return mapping;
  const std::lock_guard lock(mutex_);
  mapping = current_.load(std::memory_order_acquire);
  if (mapping != nullptr && index < mapping->records) return mapping;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_errno("read", path_);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t wanted = std::max(2 * std::max(layout_.offset(index + 1), size), kMappedBytesMin);
  void* const data = ::mmap(nullptr, wanted, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (data == MAP_FAILED) throw_errno("map", path_);
  expect_scattered_reads(static_cast<const std::byte*>(data), wanted);
  mappings_.push_back(
      std::make_unique<Mapping>(static_cast<const std::byte*>(data), wanted,
                                (wanted - VectorLayout::kHeadBytes) / layout_.record_bytes()));
  current_.store(mappings_.back().get(), std::memory_order_release);
  return mappings_.back().get();
}

void MappedRecords::read_ahead(const Mapping& mapping, std::uint64_t index) const noexcept {
  const std::uint64_t from = layout_.offset(index);
  if (index == 0 || from / kAheadBytes == layout_.offset(index - 1) / kAheadBytes) return;
  const std::uint64_t before = mapping.checked[(index - 1) / 64].load(std::memory_order_relaxed);
  if ((before >> ((index - 1) % 64) & 1) != 0) fetch_at(file_, from, 2 * kAheadBytes);
}

std::optional<MappedRecords::Record> MappedRecords::record(std::uint64_t index) const {
  const Mapping* const mapping = mapping_for(index);
  const std::byte* const at = mapping->data + layout_.offset(index);
  std::atomic<std::uint64_t>& word = mapping->checked[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  if ((word.load(std::memory_order_acquire) & bit) == 0) {
    read_ahead(*mapping, index);
    if (!is_whole(layout_, {at, layout_.record_bytes()})) return std::nullopt;
    word.fetch_or(bit, std::memory_order_release);
  }
  const std::string_view hash(reinterpret_cast<const char*>(at), VectorLayout::kHashBytes);
  return Record{*id_from_bytes(hash),
                {reinterpret_cast<const float*>(at + VectorLayout::kHashBytes), layout_.dim}};
}

}  // namespace hasten
