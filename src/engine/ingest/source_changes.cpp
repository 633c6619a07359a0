#include "engine/ingest/source_changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hashing.hpp"
#include "base/threads.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> hash_files(const std::vector<const FoundFile*>& files, std::size_t threads,
                                    std::stop_token stop) {
  std::vector<std::string> hashes(files.size());
  parallel_for(
      files.size(), threads,
      [&](std::size_t i) {
        try {
          hashes[i] = sha256_file(files[i]->absolute());
        } catch (const Error&) {
          // It cannot be read: reading it, later, says why.
        }
      },
      stop);
  return hashes;
}

class Comparison {
 public:
  Comparison(const ScanResult& found, const KnownFiles& known) : found_(found), known_(known) {}

  void find_vanished(std::span<const std::string> include, std::span<const std::string> exclude, bool prune) {
    std::set<std::string> seen;
    for (const FoundFile& file : found_.files) seen.insert(file.absolute().string());
    for (const ScannedRoot& root : found_.roots) {
      std::vector<const KnownFile*> lost;
      std::uint64_t in_scope = 0;
      for (auto at = known_.lower_bound(root.canonical); at != known_.end(); ++at) {
        if (!at->first.starts_with(root.canonical)) break;
        if (!is_under(at->first, root.canonical)) continue;
        ++in_scope;
        if (!seen.contains(at->first) && selected(at->second.path, include, exclude)) {
          lost.push_back(&at->second);
        }
      }
      judge(root, in_scope, lost, prune);
    }
  }

  void sort_out(std::size_t threads, std::stop_token stop) {
    std::vector<const FoundFile*> to_hash;
    for (const FoundFile& file : found_.files) {
      const KnownFile* known = find(file);
      if (known != nullptr && known->size == file.size && known->mtime_ns == file.mtime_ns) {
        settle_unchanged(file, *known);
      } else {
        to_hash.push_back(&file);
      }
    }
    const auto hashes = hash_files(to_hash, threads, stop);
    for (std::size_t i = 0; i < to_hash.size(); ++i) settle(*to_hash[i], hashes[i]);
    for (const auto& [number, file] : vanished_) changes_.vanished.push_back(number);
  }

  SourceChanges take() { return std::move(changes_); }

 private:
  void judge(const ScannedRoot& root, std::uint64_t in_scope, const std::vector<const KnownFile*>& lost,
             bool prune) {
    if (root.missing && in_scope == 0) {
      throw Error(Code::not_found, root.shown + " is not there; name a file or folder that is");
    }
    for (const KnownFile* file : lost) movable_.emplace(file->number, file);
    const bool suspicious = root.missing || (root.files == 0 && in_scope > 0);
    if (suspicious && !prune) {
      changes_.notices.push_back(fmt::format("{} is {}: its {} documents are kept; --prune forgets them",
                                             root.shown, root.missing ? "gone" : "empty", in_scope));
      return;
    }
    for (const KnownFile* file : lost) vanished_.emplace(file->number, file);
  }

  const KnownFile* find(const FoundFile& file) const {
    const auto known = known_.find(file.absolute().string());
    return known == known_.end() ? nullptr : &known->second;
  }

  void settle_unchanged(const FoundFile& file, const KnownFile& known) {
    if (known.root != file.root || known.shown != file.shown) {
      changes_.relocations.push_back({known.number, file, false});
    }
    ++changes_.unchanged;
    if (known.failed) changes_.still_failing.push_back(known);
  }

  void settle(const FoundFile& file, const std::string& hash) {
    changes_.bytes_read += file.size;
    const KnownFile* known = find(file);
    if (known != nullptr && !hash.empty() && known->content_hash == hash) {
      changes_.relocations.push_back({known->number, file, false});
      ++changes_.unchanged;
      if (known->failed) changes_.still_failing.push_back(*known);
      return;
    }
    if (known == nullptr && !hash.empty()) {
      if (const KnownFile* from = claim_moved(hash)) {
        changes_.relocations.push_back({from->number, file, true});
        return;
      }
    }
    changes_.jobs.push_back({file, known == nullptr ? std::nullopt : std::optional(*known)});
  }

  /// A document of this content whose file is gone: from the roots at hand, or from any other place
  /// where it no longer stands.
  const KnownFile* claim_moved(const std::string& hash) {
    if (by_hash_.empty()) {
      for (const auto& [path, file] : known_) {
        if (!file.failed && !file.root.empty()) by_hash_.emplace(file.content_hash, &file);
      }
    }
    const auto [first, last] = by_hash_.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      const KnownFile* file = at->second;
      std::error_code ignored;
      if (!movable_.contains(file->number) && fs::exists(fs::path(file->root) / file->path, ignored)) {
        continue;
      }
      movable_.erase(file->number);
      vanished_.erase(file->number);
      by_hash_.erase(at);
      return file;
    }
    return nullptr;
  }

  const ScanResult& found_;
  const KnownFiles& known_;
  SourceChanges changes_;
  std::map<std::uint32_t, const KnownFile*> movable_;   // not where they were
  std::map<std::uint32_t, const KnownFile*> vanished_;  // and to be forgotten unless moved
  std::multimap<std::string, const KnownFile*> by_hash_;
};

}  // namespace

KnownFiles known_files(const SegmentStore::Reading& reading) {
  KnownFiles files;
  reading.for_each_document([&](const DocumentRow& row) {
    const std::string absolute =
        row.root.empty() ? "\n" + row.path : (fs::path(row.root) / row.path).string();
    files.emplace(absolute, KnownFile{row.number, row.id, row.root, row.shown, row.path, row.size,
                                      row.mtime_ns, row.content_hash, row.failed, row.error, row.message});
  });
  return files;
}

SourceChanges compare_sources(const ScanResult& found, const KnownFiles& known,
                              std::span<const std::string> include, std::span<const std::string> exclude,
                              bool prune, std::size_t threads, std::stop_token stop) {
  Comparison comparison(found, known);
  comparison.find_vanished(include, exclude, prune);
  comparison.sort_out(threads, stop);
  return comparison.take();
}

}  // namespace hasten
