#include "stores/local/vector_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/hashing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using Head = std::array<std::byte, VectorLayout::kHeadBytes>;

constexpr std::string_view kMagic = "hastenV1";
constexpr std::size_t kDimAt = 8;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kFingerprintAt = 24;
constexpr std::size_t kChecksumAt = VectorLayout::kHeadBytes - 8;

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

File open_for_reading(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) damaged(path, "it is missing");
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("open", path);
  return file;
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
  write_at(file_, layout_.offset(rows_), pack_records(layout_, text_hashes, values), path_);
  sync_file(file_, path_);
  rows_ += text_hashes.size();
  return rows_ - text_hashes.size();
}

VectorReader::VectorReader(const std::filesystem::path& file, std::string_view fingerprint)
    : path_(file),
      file_(open_for_reading(path_)),
      layout_{read_head(file_, path_, fingerprint)},
      records_(file_, path_, layout_) {}

std::uint64_t VectorReader::file_bytes() const { return size_of(file_, path_); }

std::uint64_t VectorReader::rows() const {
  const std::uint64_t bytes = file_bytes();
  if (bytes <= VectorLayout::kHeadBytes) return 0;
  return (bytes - VectorLayout::kHeadBytes) / layout_.record_bytes();
}

VectorReader::Record VectorReader::record(std::uint64_t index) const {
  std::atomic<std::uint64_t> unknown = 0;
  return record(index, unknown);
}

VectorReader::Record VectorReader::record(std::uint64_t index,
                                          std::atomic<std::uint64_t>& known_bytes) const {
  const std::uint64_t end = layout_.offset(index + 1);
  if (known_bytes.load(std::memory_order_relaxed) < end) {
    const std::uint64_t bytes = file_bytes();
    if (bytes < end) damaged(path_, fmt::format("cut short: {} bytes, row {} ends at {}", bytes, index, end));
    known_bytes.store(bytes, std::memory_order_relaxed);
  }
  if (const auto record = records_.record(index)) return *record;
  damaged(path_, fmt::format("row {} does not fit its checksum", index));
}

void VectorReader::read(std::uint64_t index, std::span<float> to) const {
  std::vector<std::byte> record(layout_.record_bytes());
  read_at(file_, layout_.offset(index), record, path_);
  if (!is_whole(layout_, record)) {
    damaged(path_, fmt::format("row {} does not fit its checksum", index));
  }
  std::memcpy(to.data(), record.data() + VectorLayout::kHashBytes, to.size_bytes());
}

void VectorReader::fetch(std::uint64_t index) const noexcept {
  fetch_at(file_, layout_.offset(index), layout_.record_bytes());
}

}  // namespace hasten
