#include "stores/local/vector_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hashing.hpp"
#include "core/ids.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

static_assert(std::endian::native == std::endian::little, "vector files are little-endian");

using Head = std::array<std::byte, VectorLayout::kHeadBytes>;

constexpr std::string_view kMagic = "hastenV1";
constexpr std::size_t kDimAt = 8;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kFingerprintAt = 24;
constexpr std::size_t kChecksumAt = VectorLayout::kHeadBytes - 8;
constexpr std::uint64_t kMappedBytesMin = std::uint64_t{64} << 20;
constexpr std::uint64_t kAheadBytes = std::uint64_t{1} << 20;

std::uint64_t load(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void store(std::byte* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }

[[noreturn]] void damaged(const std::filesystem::path& path, std::string_view what) {
  throw Error(Code::damaged,
              fmt::format("{}: {}; `hasten verify --repair` lets go of what is lost, and the next "
                          "ingest embeds it again",
                          path.string(), what));
}

Head make_head(std::string_view fingerprint, std::uint64_t dim) {
  if (fingerprint.size() > kChecksumAt - kFingerprintAt) {
    throw Error(Code::invalid, fmt::format("a model's fingerprint of {} bytes; at most {} fit",
                                           fingerprint.size(), kChecksumAt - kFingerprintAt));
  }
  Head head{};
  std::memcpy(head.data(), kMagic.data(), kMagic.size());
  store(head.data() + kDimAt, dim);
  store(head.data() + kLengthAt, fingerprint.size());
  std::memcpy(head.data() + kFingerprintAt, fingerprint.data(), fingerprint.size());
  store(head.data() + kChecksumAt, checksum(std::span(head).first(kChecksumAt)));
  return head;
}

std::uint64_t size_of(const File& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_errno("read", path);
  return static_cast<std::uint64_t>(status.st_size);
}

/// Checks a file's head. @return the vectors' dimension.
std::uint64_t read_head(const File& file, const std::filesystem::path& path, std::string_view fingerprint) {
  Head head{};
  const ssize_t got = ::pread(file.get(), head.data(), head.size(), 0);
  if (got < 0) throw_errno("read", path);
  if (std::size_t(got) < head.size()) damaged(path, "cut short within its head");
  if (load(head.data() + kChecksumAt) != checksum(std::span(head).first(kChecksumAt))) {
    damaged(path, "its head does not fit its checksum");
  }
  const std::uint64_t dim = load(head.data() + kDimAt);
  if (head != make_head(fingerprint, dim)) {
    damaged(path, fmt::format("its head is not that of the vectors of {}", fingerprint));
  }
  return dim;
}

}  // namespace

std::string vector_file_name(std::string_view fingerprint, std::uint64_t generation) {
  const std::string name = sha256_hex(fingerprint).substr(0, 16);
  return generation == 0 ? name + ".vec" : fmt::format("{}.{}.vec", name, generation);
}

VectorWriter::VectorWriter(const std::filesystem::path& file, std::string_view fingerprint, std::uint64_t dim,
                           std::uint64_t rows)
    : path_(file), layout_{dim}, rows_(rows) {
  if (rows == 0) {
    const Head head = make_head(fingerprint, dim);
    file_ = create_file(path_);
    write_at(file_, 0, head, path_);
    sync_file(file_, path_);
    sync_folder(path_.parent_path());
    return;
  }
  if (!std::filesystem::exists(path_)) damaged(path_, "it is missing");
  file_ = open_for_update(path_);
  if (read_head(file_, path_, fingerprint) != dim) damaged(path_, "its dimension is another one");
  const std::uint64_t end = layout_.offset(rows);
  const std::uint64_t bytes = size_of(file_, path_);
  if (bytes < end) damaged(path_, fmt::format("cut short: {} bytes, {} were committed", bytes, end));
  if (bytes > end) truncate_file(file_, end, path_);
}

std::uint64_t VectorWriter::append(std::span<const Id> text_hashes, std::span<const float> values) {
  std::vector<std::byte> records(text_hashes.size() * layout_.record_bytes());
  for (std::size_t i = 0; i < text_hashes.size(); ++i) {
    std::byte* const record = records.data() + i * layout_.record_bytes();
    std::memcpy(record, id_bytes(text_hashes[i]).data(), VectorLayout::kHashBytes);
    std::memcpy(record + VectorLayout::kHashBytes, values.data() + i * layout_.dim,
                layout_.dim * sizeof(float));
    store(record + layout_.checked_bytes(), checksum(std::span(record, layout_.checked_bytes())));
  }
  write_at(file_, layout_.offset(rows_), records, path_);
  sync_file(file_, path_);
  rows_ += text_hashes.size();
  return rows_ - text_hashes.size();
}

/// Room for more records than the file has yet, so that a growing file is seldom mapped anew.
struct VectorReader::Mapping {
  const std::byte* data;
  std::uint64_t bytes;
  std::uint64_t rows;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked;  // bit i: record i was found whole

  Mapping(const std::byte* mapped, std::uint64_t size, std::uint64_t records)
      : data(mapped),
        bytes(size),
        rows(records),
        checked(std::make_unique<std::atomic<std::uint64_t>[]>(records / 64 + 1)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { ::munmap(const_cast<std::byte*>(data), bytes); }
};

VectorReader::VectorReader(const std::filesystem::path& file, std::string_view fingerprint) : path_(file) {
  if (!std::filesystem::exists(path_)) damaged(path_, "it is missing");
  file_ = File(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file_) throw_errno("open", path_);
  layout_.dim = read_head(file_, path_, fingerprint);
  map(0);
}

VectorReader::~VectorReader() = default;

std::uint64_t VectorReader::file_bytes() const { return size_of(file_, path_); }

std::uint64_t VectorReader::rows() const {
  const std::uint64_t bytes = file_bytes();
  if (bytes <= VectorLayout::kHeadBytes) return 0;
  return (bytes - VectorLayout::kHeadBytes) / layout_.record_bytes();
}

const VectorReader::Mapping* VectorReader::map(std::uint64_t rows) const {
  const std::uint64_t wanted = std::max(2 * std::max(layout_.offset(rows), file_bytes()), kMappedBytesMin);
  void* const data = ::mmap(nullptr, wanted, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (data == MAP_FAILED) throw_errno("map", path_);
  expect_scattered_reads(static_cast<const std::byte*>(data), wanted);
  const std::uint64_t records = (wanted - VectorLayout::kHeadBytes) / layout_.record_bytes();
  mappings_.push_back(std::make_unique<Mapping>(static_cast<const std::byte*>(data), wanted, records));
  current_.store(mappings_.back().get(), std::memory_order_release);
  return mappings_.back().get();
}

const VectorReader::Mapping* VectorReader::mapping_for(std::uint64_t index,
                                                       std::atomic<std::uint64_t>& known_bytes) const {
  // Touching what a file no longer has would end the process.
  const std::uint64_t end = layout_.offset(index + 1);
  if (known_bytes.load(std::memory_order_relaxed) < end) {
    const std::uint64_t bytes = file_bytes();
    if (bytes < end) damaged(path_, fmt::format("cut short: {} bytes, row {} ends at {}", bytes, index, end));
    known_bytes.store(bytes, std::memory_order_relaxed);
  }
  const Mapping* mapping = current_.load(std::memory_order_acquire);
  if (index < mapping->rows) return mapping;
  std::lock_guard lock(mutex_);
  mapping = current_.load(std::memory_order_acquire);
  return index < mapping->rows ? mapping : map(index + 1);
}

// Who reads records one after the other has the disk ahead of them, though single ones are expected.
void VectorReader::read_ahead(const Mapping& mapping, std::uint64_t index) const noexcept {
  const std::uint64_t from = layout_.offset(index);
  if (index == 0 || from / kAheadBytes == layout_.offset(index - 1) / kAheadBytes) return;
  const std::uint64_t before = mapping.checked[(index - 1) / 64].load(std::memory_order_relaxed);
  if ((before >> ((index - 1) % 64) & 1) != 0) fetch_at(file_, from, 2 * kAheadBytes);
}

VectorReader::Record VectorReader::record(std::uint64_t index) const {
  std::atomic<std::uint64_t> unknown = 0;
  return record(index, unknown);
}

VectorReader::Record VectorReader::record(std::uint64_t index,
                                          std::atomic<std::uint64_t>& known_bytes) const {
  const Mapping* const mapping = mapping_for(index, known_bytes);
  const std::byte* const at = mapping->data + layout_.offset(index);
  std::atomic<std::uint64_t>& word = mapping->checked[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  if ((word.load(std::memory_order_relaxed) & bit) == 0) {
    read_ahead(*mapping, index);
    if (checksum(std::span(at, layout_.checked_bytes())) != load(at + layout_.checked_bytes())) {
      damaged(path_, fmt::format("row {} does not fit its checksum", index));
    }
    word.fetch_or(bit, std::memory_order_relaxed);
  }
  const std::string_view hash(reinterpret_cast<const char*>(at), VectorLayout::kHashBytes);
  return {*id_from_bytes(hash), {reinterpret_cast<const float*>(at + VectorLayout::kHashBytes), layout_.dim}};
}

void VectorReader::read(std::uint64_t index, std::span<float> to) const {
  std::vector<std::byte> record(layout_.record_bytes());
  read_at(file_, layout_.offset(index), record, path_);
  if (checksum(std::span(record).first(layout_.checked_bytes())) !=
      load(record.data() + layout_.checked_bytes())) {
    damaged(path_, fmt::format("row {} does not fit its checksum", index));
  }
  std::memcpy(to.data(), record.data() + VectorLayout::kHashBytes, to.size_bytes());
}

void VectorReader::fetch(std::uint64_t index) const noexcept {
  fetch_at(file_, layout_.offset(index), layout_.record_bytes());
}

}  // namespace hasten
