#include "stores/postgres/vector_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/hashing.hpp"
#include "core/ids.hpp"

namespace hasten::postgres {
namespace {

constexpr std::uint64_t kMappedBytesMin = std::uint64_t{64} << 20;

std::uint64_t load(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

/// Room for more records than the file has yet, so that a growing file is seldom mapped anew.
struct VectorCache::Mapping {
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

VectorCache::VectorCache(std::filesystem::path file, std::uint64_t dim)
    : path_(std::move(file)), layout_{dim} {
  file_ = File(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file_) throw_errno("open", path_);
}

VectorCache::~VectorCache() = default;

bool VectorCache::holds(std::uint64_t end) const {
  if (bytes_.load(std::memory_order_relaxed) >= end) return true;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_errno("read", path_);
  bytes_.store(static_cast<std::uint64_t>(status.st_size), std::memory_order_relaxed);
  return static_cast<std::uint64_t>(status.st_size) >= end;
}

const VectorCache::Mapping* VectorCache::mapping_for(std::uint64_t number) const {
  const Mapping* mapping = current_.load(std::memory_order_acquire);
  if (mapping != nullptr && number < mapping->records) return mapping;
  const std::lock_guard lock(mutex_);
  mapping = current_.load(std::memory_order_acquire);
  if (mapping != nullptr && number < mapping->records) return mapping;
  const std::uint64_t wanted =
      std::max(2 * std::max(layout_.offset(number + 1), bytes_.load()), kMappedBytesMin);
  void* const data = ::mmap(nullptr, wanted, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (data == MAP_FAILED) throw_errno("map", path_);
  expect_scattered_reads(static_cast<const std::byte*>(data), wanted);
  mappings_.push_back(
      std::make_unique<Mapping>(static_cast<const std::byte*>(data), wanted,
                                (wanted - VectorLayout::kHeadBytes) / layout_.record_bytes()));
  current_.store(mappings_.back().get(), std::memory_order_release);
  return mappings_.back().get();
}

std::optional<std::span<const float>> VectorCache::find(std::uint64_t number) const {
  if (!holds(layout_.offset(number + 1))) return std::nullopt;
  const Mapping* const mapping = mapping_for(number);
  const std::byte* const at = mapping->data + layout_.offset(number);
  std::atomic<std::uint64_t>& word = mapping->checked[number / 64];
  const std::uint64_t bit = std::uint64_t{1} << (number % 64);
  if ((word.load(std::memory_order_acquire) & bit) == 0) {
    if (checksum(std::span(at, layout_.checked_bytes())) != load(at + layout_.checked_bytes())) {
      return std::nullopt;
    }
    word.fetch_or(bit, std::memory_order_release);
  }
  return std::span(reinterpret_cast<const float*>(at + VectorLayout::kHashBytes), layout_.dim);
}

void VectorCache::put(std::uint64_t number, const Id& text_hash, std::span<const float> values) {
  std::vector<std::byte> record(layout_.record_bytes());
  std::memcpy(record.data(), id_bytes(text_hash).data(), VectorLayout::kHashBytes);
  std::memcpy(record.data() + VectorLayout::kHashBytes, values.data(), values.size_bytes());
  const std::uint64_t sum = checksum(std::span(record).first(layout_.checked_bytes()));
  std::memcpy(record.data() + layout_.checked_bytes(), &sum, sizeof sum);
  write_at(file_, layout_.offset(number), record, path_);
}

}  // namespace hasten::postgres
