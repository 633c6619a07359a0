#include "stores/postgres/segment_cache.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <system_error>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"

namespace hasten::postgres {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameDigits = 32;
// What one statement moves: so much ends within its time on a slow line, too.
constexpr std::size_t kPageChunks = 16;
constexpr std::uint64_t kPageBytes = kPageChunks * SegmentCache::kChunkBytes;
constexpr std::size_t kPageSegments = 1'000;

std::string_view chars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

SegmentContent content_of(std::string_view bytes) {
  return {bytes.size(), sha256_hex(bytes).substr(0, kNameDigits)};
}

std::uint64_t chunks_of(const SegmentContent& content) {
  return (content.bytes + SegmentCache::kChunkBytes - 1) / SegmentCache::kChunkBytes;
}

/// A file that becomes one of the cache once it is whole, and is gone otherwise.
class Incoming {
 public:
  explicit Incoming(const fs::path& target)
      : target_(target),
        path_(fmt::format("{}.{}-{}.new", target.string(), ::getpid(), ++last_)),
        file_(create_file(path_)) {}
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() {
    std::error_code ignored;
    if (!kept_) fs::remove(path_, ignored);
  }
  void add(std::string_view bytes) {
    write_all(file_, blob(bytes), path_);
    hash_.update(bytes);
  }
  bool keep_if(std::string_view name) {
    if (hex(hash_.finish()).substr(0, kNameDigits) != name) return false;
    fs::rename(path_, target_);
    return kept_ = true;
  }

 private:
  inline static std::atomic<std::uint64_t> last_ = 0;  // several segments may hold the same

  fs::path target_, path_;
  File file_;
  Sha256 hash_;
  bool kept_ = false;
};

}  // namespace

SegmentCache::SegmentCache(fs::path folder) : folder_(std::move(folder)) {
  try {
    fs::create_directories(folder_);
  } catch (const fs::filesystem_error& error) {
    throw_as_error(error);
  }
}

fs::path SegmentCache::file(const SegmentContent& content) const { return folder_ / (content.name + ".seg"); }

bool SegmentCache::has(const SegmentContent& content) const {
  std::error_code missing;
  const auto bytes = fs::file_size(file(content), missing);
  return !missing && bytes == content.bytes;
}

SegmentContent SegmentCache::take(const fs::path& written) {
  std::error_code missing;
  const SegmentContent content{fs::file_size(written, missing), sha256_file(written).substr(0, kNameDigits)};
  try {
    fs::rename(written, file(content));
  } catch (const fs::filesystem_error& error) {
    throw_as_error(error);
  }
  return content;
}

SegmentContent SegmentCache::put(std::span<const std::byte> bytes) {
  SegmentContent content = content_of(chars(bytes));
  if (!has(content)) keep(content, chars(bytes));
  return content;
}

void SegmentCache::keep(const SegmentContent& content, std::string_view bytes) {
  const std::lock_guard lock(fetching_);
  Incoming incoming(file(content));
  incoming.add(bytes);
  incoming.keep_if(content.name);
}

void SegmentCache::fetch(Connection& connection, std::span<const StoredSegment> segments) {
  const std::lock_guard lock(fetching_);
  std::vector<const StoredSegment*> page;
  std::uint64_t bytes = 0;
  for (const StoredSegment& segment : segments) {
    if (has(segment.content)) continue;
    if (!page.empty() && (bytes + segment.content.bytes > kPageBytes || page.size() == kPageSegments)) {
      fetch_page(connection, page);
      page.clear();
      bytes = 0;
    }
    page.push_back(&segment);
    bytes += segment.content.bytes;
  }
  if (!page.empty()) fetch_page(connection, page);
}

void SegmentCache::fetch_page(Connection& connection, std::span<const StoredSegment* const> segments) {
  std::map<std::uint64_t, const StoredSegment*> wanted;
  std::vector<std::int64_t> ids, numbers;
  for (const StoredSegment* segment : segments) {
    wanted[segment->row.id] = segment;
    if (segment->content.bytes == 0) Incoming(file(segment->content)).keep_if(segment->content.name);
    for (std::uint64_t n = 0; n < chunks_of(segment->content); ++n) {
      ids.push_back(bigint(segment->row.id));
      numbers.push_back(bigint(n));
    }
  }
  std::map<std::uint64_t, std::optional<Incoming>> files;
  // A large segment is a page of its own, and takes several statements.
  const std::size_t most = segments.size() == 1 ? kPageChunks : ids.size();
  for (std::size_t from = 0; from < ids.size();) {
    const std::size_t n = std::min(most, ids.size() - from);
    const Rows rows = connection.query(
        fmt::format("SELECT {} FROM _segment_chunks WHERE (segment, number) IN (SELECT * FROM unnest($1, $2))"
                    " ORDER BY segment, number",
                    kChunkColumns),
        Values::of(
            std::vector(ids.begin() + std::ptrdiff_t(from), ids.begin() + std::ptrdiff_t(from + n)),
            std::vector(numbers.begin() + std::ptrdiff_t(from), numbers.begin() + std::ptrdiff_t(from + n))));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      try {
        const SegmentChunk chunk = read_chunk(rows[i]);
        auto& incoming = files[chunk.segment];
        if (!incoming) incoming.emplace(file(wanted.at(chunk.segment)->content));
        incoming->add(chunk.bytes);
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;  // who asks for that segment is told
      }
    }
    from += n;
  }
  for (auto& [id, incoming] : files) incoming->keep_if(wanted.at(id)->content.name);
}

void SegmentCache::send(Connection& connection, std::uint64_t segment, const SegmentContent& content) const {
  const MappedFile mapped(file(content));
  const std::string_view bytes = chars(mapped.bytes());
  const std::uint64_t chunks = chunks_of(content);
  for (std::uint64_t from = 0; from < chunks; from += kPageChunks) {
    std::uint64_t number = from;
    connection.copy_in("_segment_chunks (segment, number, row)", [&](Values& values) {
      if (number == std::min(from + kPageChunks, chunks)) return false;
      const std::string_view chunk = bytes.substr(number * kChunkBytes, kChunkBytes);
      values.add(bigint(segment)).add(bigint(number)).add(blob(pack_chunk(segment, number, chunk)));
      ++number;
      return true;
    });
  }
}

void SegmentCache::sweep(const std::set<std::string>& names, std::chrono::seconds age) const {
  const auto before = fs::file_time_type::clock::now() - age;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const auto written = at->last_write_time(ignored);
    if (ignored || written > before || names.contains(at->path().stem().string())) continue;
    fs::remove(at->path(), ignored);
  }
}

std::size_t SegmentCache::drop_damaged(std::span<const StoredSegment> segments) const {
  std::size_t dropped = 0;
  for (const StoredSegment& segment : segments) {
    const fs::path path = file(segment.content);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    if (has(segment.content) && sha256_file(path).starts_with(segment.content.name)) continue;
    fs::remove(path, ignored);
    ++dropped;
  }
  return dropped;
}

}  // namespace hasten::postgres
