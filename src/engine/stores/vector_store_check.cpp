#include "engine/stores/vector_store_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/stores/remote_vectors.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kPage = 10'000;  // numbers of one answer
constexpr std::size_t kSample = 100;   // vectors of a group that are compared
constexpr double kSame = 1e-3;         // some stores keep 16 bits of a number, or only its direction

/// What was sent of a group, by rising number.
struct Sent {
  std::vector<VectorEntry> alive;
  std::vector<NodeNumber> deleted;  // since; it may have these still
};

Sent sent_of(const GroupSnapshot& group) {
  Sent sent;
  for (const SegmentPart& part : group.remote) {
    add_alive(sent.alive, part);
    for (std::size_t i = 0; i < part.row.nodes; ++i) {
      if (part.deleted().test(i)) sent.deleted.push_back(part.open->flat->node(i));
    }
  }
  return sent;
}

bool same_direction(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && score_of(VectorMetric::cosine, a, b) >= 1 - kSame;
}

class Check {
 public:
  Check(KnowledgeBase& kb, const OnProgress& progress, const std::stop_token& stop)
      : kb_(kb), store_(kb.remote->store()), progress_(progress), stop_(stop), newest_(kb.newest()) {}

  std::vector<VectorStoreFindings> run() {
    std::vector<VectorStoreFindings> all;
    for (const GroupSnapshot& group : newest_.snapshot->groups) {
      if (!group.remote.empty()) all.push_back(check(group));
    }
    return all;
  }

  const Snapshot& snapshot() const { return *newest_.snapshot; }

  VectorStoreFindings check(const GroupSnapshot& group) {
    const VectorCollection there = kb_.remote->target(kb_.store, *newest_.reading, group, stop_).collection;
    const Sent sent = sent_of(group);
    VectorStoreFindings found;
    found.group = group.row.name;
    found.alive = sent.alive.size();
    compare_numbers(there, sent, found);
    compare_vectors(there, group, sent, found);
    return found;
  }

 private:
  bool is_there(const VectorCollection& collection) {
    const auto names = store_.collections(collection.name);
    return std::ranges::find(names, collection.name) != names.end();
  }

  void compare_numbers(const VectorCollection& there, const Sent& sent, VectorStoreFindings& found) {
    auto expected = sent.alive.begin();
    const auto missing_before = [&](NodeNumber node) {
      for (; expected != sent.alive.end() && expected->node < node; ++expected)
        found.missing.push_back(*expected);
    };
    std::uint64_t seen = 0;
    for (NodeNumber after = 0; is_there(there);) {
      if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped");
      const auto page = store_.nodes(there, after, kPage);
      if (page.empty()) break;
      for (const NodeNumber node : page) {
        missing_before(node);
        if (expected != sent.alive.end() && expected->node == node) {
          ++expected;
        } else if (!std::ranges::binary_search(sent.deleted, node)) {
          found.unknown.push_back(node);
        }
      }
      after = page.back();
      seen += page.size();
      if (progress_) progress_({"verify", seen, std::max(seen, found.alive), "vectors sent", {}});
    }
    missing_before(UINT64_MAX);
  }

  /// Of nodes that are there, spread evenly.
  void compare_vectors(const VectorCollection& there, const GroupSnapshot& group, const Sent& sent,
                       VectorStoreFindings& found) {
    std::vector<VectorEntry> sample;
    const std::size_t step = std::max<std::size_t>(sent.alive.size() / kSample, 1);
    for (std::size_t i = 0; i < sent.alive.size(); i += step) {
      const VectorEntry& entry = sent.alive[i];
      const bool missing = std::ranges::binary_search(found.missing, entry.node, {}, &VectorEntry::node);
      if (!missing) sample.push_back(entry);
    }
    if (sample.empty()) return;
    std::vector<NodeNumber> nodes;
    for (const VectorEntry& entry : sample) nodes.push_back(entry.node);
    const auto full = kb_.store.vectors(group.fingerprint());
    const auto vectors = store_.vectors(there, nodes);
    for (std::size_t i = 0; i < sample.size(); ++i) {
      if (!same_direction(vectors[i], full(sample[i].vector))) found.differ.push_back(sample[i]);
    }
  }

  KnowledgeBase& kb_;
  VectorStore& store_;
  const OnProgress& progress_;
  const std::stop_token& stop_;
  KnowledgeBase::Newest newest_;
};

}  // namespace

std::vector<VectorStoreFindings> check_vector_store(KnowledgeBase& kb, const OnProgress& progress,
                                                    const std::stop_token& stop) {
  return Check(kb, progress, stop).run();
}

std::vector<std::string> problems_of(const VectorStoreFindings& findings, const VectorStore& store) {
  std::vector<std::string> lines;
  const auto say = [&](std::size_t n, std::string_view what) {
    if (n > 0)
      lines.push_back(fmt::format("group {}: {} of {} nodes {} in {}", findings.group, n, findings.alive,
                                  what, store.where()));
  };
  say(findings.missing.size(), "that were sent are missing");
  say(findings.differ.size(), "have another vector");
  if (!findings.unknown.empty()) {
    lines.push_back(fmt::format("group {}: {} nodes too many in {}", findings.group, findings.unknown.size(),
                                store.where()));
  }
  return lines;
}

VectorStoreMended mend_vector_store(KnowledgeBase& kb, const OnProgress& progress,
                                    const std::stop_token& stop) {
  VectorStoreMended mended;
  Check check(kb, progress, stop);
  for (const GroupSnapshot& group : check.snapshot().groups) {
    if (group.remote.empty()) continue;
    const VectorStoreFindings found = check.check(group);
    mended.alive += found.alive;
    std::vector<VectorEntry> entries = found.missing;
    entries.insert(entries.end(), found.differ.begin(), found.differ.end());
    mended.sent += entries.size();
    mended.removed += found.unknown.size();
    if (entries.empty() && found.unknown.empty()) continue;
    kb.remote->mend(kb.store, group, std::move(entries), found.unknown, stop);
  }
  return mended;
}

}  // namespace hasten
