#include "stores/commit_log.hpp"

namespace hasten {

LoggedCommit logged_commit(const CommitName& name, const std::optional<std::set<std::uint32_t>>& documents) {
  constexpr std::size_t kDocumentsMax = 1024;
  LoggedCommit commit{name, {}};
  if (documents && documents->size() <= kDocumentsMax) {
    commit.documents.emplace(documents->begin(), documents->end());
  }
  return commit;
}

bool is_remembered(const CommitName& since, std::uint64_t seen) {
  return since.id != 0 && since.number <= seen && seen - since.number < kCommitsRemembered;
}

std::optional<std::vector<std::uint32_t>> changed_since(const CommitName& since, std::uint64_t seen,
                                                        std::span<const LoggedCommit> log) {
  if (log.empty() || log.front().name != since || log.size() != seen - since.number + 1) return std::nullopt;
  std::set<std::uint32_t> changed;
  std::uint64_t reached = since.number;
  for (const LoggedCommit& commit : log.subspan(1)) {
    if (commit.name.number != ++reached || !commit.documents) return std::nullopt;
    changed.insert(commit.documents->begin(), commit.documents->end());
  }
  return std::vector(changed.begin(), changed.end());
}

}  // namespace hasten
