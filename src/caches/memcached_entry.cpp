#include "caches/memcached_entry.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/hashing.hpp"
#include "base/unique_number.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

/// What stands first in a head. The checksum is of what is before it, of the key, and of the value.
struct Header {
  std::array<char, 8> magic{'h', 's', 't', 'm', 'e', 'm', 'c', '1'};
  std::uint64_t version = 0;
  std::int64_t end = 0;  ///< milliseconds since 1970; 0: never
  std::uint64_t key_bytes = 0, payload_bytes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t checksum = 0;
};

std::int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

std::uint64_t checksum_of(const Header& header, std::string_view payload) {
  const std::uint64_t of_payload = checksum(payload);
  std::array<std::byte, offsetof(Header, checksum) + sizeof of_payload> bytes;
  std::memcpy(bytes.data(), &header, offsetof(Header, checksum));
  std::memcpy(bytes.data() + offsetof(Header, checksum), &of_payload, sizeof of_payload);
  return checksum(bytes);
}

/// More than any value is cut into: what claims more is damaged.
constexpr std::uint64_t kChunks = 1 << 16;

}  // namespace

MemcachedEntry::MemcachedEntry(std::string_view key, std::string_view value, milliseconds ttl,
                               std::size_t item_bytes_max)
    : version(unique_number()) {
  payload.reserve(key.size() + value.size());
  payload += key;
  payload += value;
  const std::int64_t now = now_ms();
  const bool endless = ttl.count() <= 0 || ttl.count() > INT64_MAX - now;
  Header header{.version = version,
                .end = endless ? 0 : now + ttl.count(),
                .key_bytes = key.size(),
                .payload_bytes = payload.size()};
  const bool whole = sizeof header + payload.size() <= item_bytes_max;
  if (!whole) header.chunks = (payload.size() + item_bytes_max - 1) / item_bytes_max;
  header.checksum = checksum_of(header, payload);
  head.assign(reinterpret_cast<const char*>(&header), sizeof header);
  if (whole) {
    head += payload;
    payload.clear();
    return;
  }
  for (std::size_t at = 0; at < payload.size(); at += item_bytes_max) {
    chunks.push_back(std::string_view(payload).substr(at, item_bytes_max));
  }
}

std::optional<MemcachedHead> MemcachedHead::parse(std::string bytes) {
  Header header;
  const Header ours;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != ours.magic || (header.end != 0 && header.end <= now_ms())) return std::nullopt;
  if (header.chunks > kChunks) return std::nullopt;
  MemcachedHead head;
  head.bytes_ = std::move(bytes);
  head.version_ = header.version;
  head.chunks_ = header.chunks;
  return head;
}

std::optional<std::string> MemcachedHead::value(std::string_view key,
                                                const std::vector<std::string_view>& chunks) const {
  Header header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  if (chunks.size() != header.chunks) return std::nullopt;
  std::string joined;
  std::string_view payload = std::string_view(bytes_).substr(sizeof header);
  if (!chunks.empty()) {
    for (const std::string_view chunk : chunks) joined += chunk;
    payload = joined;
  }
  if (payload.size() != header.payload_bytes || header.key_bytes > payload.size()) return std::nullopt;
  if (header.checksum != checksum_of(header, payload)) return std::nullopt;
  if (payload.substr(0, header.key_bytes) != key) return std::nullopt;
  return std::string(payload.substr(header.key_bytes));
}

std::time_t memcached_end(milliseconds ttl) {
  constexpr std::time_t kDatesBeyond = 30 * 24 * 3600;
  if (ttl.count() <= 0) return 0;
  const std::time_t seconds = std::chrono::ceil<std::chrono::seconds>(ttl).count() + 1;
  if (seconds < kDatesBeyond) return seconds;
  const std::time_t now = std::time(nullptr);
  return seconds > INT32_MAX - now ? 0 : now + seconds;
}

}  // namespace hasten
