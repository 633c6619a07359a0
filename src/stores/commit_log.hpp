#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "core/segment_store.hpp"

namespace hasten {

/// A commit as a store's log keeps it: what SegmentStore::Reading::changed_documents() is told from.
struct LoggedCommit {
  CommitName name;
  std::optional<std::vector<std::uint32_t>> documents;  ///< with rewritten rows, rising; nothing: very many
};

/// @param documents  nothing: it cannot be told which.
LoggedCommit logged_commit(const CommitName& name, const std::optional<std::set<std::uint32_t>>& documents);

/// Whether the log may reach from `since` to the commit `seen`.
bool is_remembered(const CommitName& since, std::uint64_t seen);

/// Documents with rows that commits after `since`, up to `seen`, rewrote. @param log  of all from
/// since.number on, by number. @return nothing where the log does not tell.
std::optional<std::vector<std::uint32_t>> changed_since(const CommitName& since, std::uint64_t seen,
                                                        std::span<const LoggedCommit> log);

}  // namespace hasten
