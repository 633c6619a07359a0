#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "core/segment_store.hpp"
#include "engine/search/filtering.hpp"
#include "engine/snapshot.hpp"
#include "hasten/index.hpp"
#include "retrieval/fuse.hpp"

namespace hasten {

/// An index of the user's, kept at one commit: brought forward by whoever asks at a newer one.
/// Thread-safe.
class UserIndex {
 public:
  UserIndex(std::string group, std::string name, std::unique_ptr<Index> index)
      : group_(std::move(group)), name_(std::move(name)), index_(std::move(index)) {}

  const std::string& group() const noexcept { return group_; }
  const std::string& name() const noexcept { return name_; }

  /// The right to ask while the index stays at one commit. Given back on the thread that took it.
  class Lease {
   public:
    const UserIndex& index() const noexcept { return *index_; }

   private:
    friend class UserIndex;
    const UserIndex* index_ = nullptr;
    std::shared_lock<std::shared_mutex> shared_;
    std::unique_lock<std::shared_mutex> alone_;  // of whoever brought it forward
  };
  /// The index as of the commit that is read; brought there first where it is behind.
  /// @return nothing: it is ahead already, a newer reading is needed.
  /// @throws Error(unavailable) the user's code failed; Error(damaged); Error(cancelled).
  std::optional<Lease> at(const SegmentStore::Reading& reading, const Snapshot& snapshot,
                          const SegmentStore& store, std::stop_token stop);

  /// What it finds, sorted, cut to k; hits that it was not told of or that may not answer are left
  /// out. Only while a lease is held. May be called from many threads.
  /// @param query     all but `allowed`.
  /// @param filtered  what may answer; null: all.
  std::vector<Ranked> query(IndexQuery query, const Filtered* filtered) const;

 private:
  struct Known {
    NodeNumber number;
    std::uint32_t document;
    bool has_vector;
  };
  struct Live;

  void bring_to(const SegmentStore::Reading& reading, const Snapshot& snapshot, const SegmentStore& store,
                std::stop_token stop);
  void remove_gone(const Live& live);
  void add_new(const SegmentStore::Reading& reading, const SegmentStore& store, const Live& live,
               bool with_vectors, std::stop_token stop);
  [[noreturn]] void fail(std::string_view function, std::string_view message) const;
  template <class Function>
  auto call(std::string_view name, Function function) const;

  std::string group_, name_;
  std::unique_ptr<Index> index_;
  std::shared_mutex mutex_;  // shared: asking; alone: bringing forward
  std::optional<std::uint64_t> commit_;
  std::unordered_map<Id, Known, IdHash> known_;
  std::unordered_map<NodeNumber, Id> ids_;
};

/// The users' indexes of one open knowledge base. Thread-safe.
class UserIndexes {
 public:
  /// @throws Error(invalid) a name that is taken, or that of a built-in similarity.
  void add(std::string group, std::string name, std::unique_ptr<Index> index);
  /// Null: there is none.
  UserIndex* find(const std::string& group, const std::string& name);
  /// All, by group and name.
  std::vector<UserIndex*> all();

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<UserIndex>> indexes_;
};

}  // namespace hasten
