#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "stores/postgres/connection.hpp"
#include "stores/postgres/truth_rows.hpp"

namespace hasten::postgres {

/// Segments of a truth on this machine, each in a file named by the hash of what it holds: whatever a commit
/// that failed has left can never be taken for one that another made under its name. Shared by the processes
/// of this user. Nothing in it is synced: what is missing, or shorter than it was, is fetched again.
/// Thread-safe.
class SegmentCache {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  /// Makes the folder. @throws Error(full|io)
  explicit SegmentCache(std::filesystem::path folder);

  std::filesystem::path file(const SegmentContent& content) const;
  bool has(const SegmentContent& content) const;
  /// Takes a file over, or bytes. @throws Error(not_found|full|io)
  SegmentContent take(const std::filesystem::path& written);
  SegmentContent put(std::span<const std::byte> bytes);
  /// Fetches those that are not here, in as few requests as their size allows. One that is damaged there
  /// stays missing. @throws as Connection::query(); Error(full|io)
  void fetch(Connection& connection, std::span<const StoredSegment> segments);
  /// Writes what lies here into the rows of a segment.
  void send(Connection& connection, std::uint64_t segment, const SegmentContent& content) const;
  /// Removes files that are older than `age` and are not among these. (A file that is mapped stays readable.)
  void sweep(const std::set<std::string>& names, std::chrono::seconds age) const;
  /// Removes those of these that do not hold what they should. @return how many.
  std::size_t drop_damaged(std::span<const StoredSegment> segments) const;

 private:
  void fetch_page(Connection& connection, std::span<const StoredSegment* const> segments);
  void keep(const SegmentContent& content, std::string_view bytes);

  std::filesystem::path folder_;
  std::mutex fetching_;  // one fetches, the others find it there
};

}  // namespace hasten::postgres
