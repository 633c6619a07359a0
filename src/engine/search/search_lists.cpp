#include "engine/search/search_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/ids.hpp"

namespace hasten {
namespace {

constexpr std::size_t kEnteredMax = 4096;  // nodes that are scored to bring a list to a commit
constexpr std::size_t kDocumentsMax = 64;  // whose rows are read for that
constexpr std::size_t kSpare = 16;         // nodes that a list has more than is asked for
constexpr std::string_view kVersion = "list 1";

NodeNumber last_of(const SegmentPart& part) {
  return part.open->size() == 0 ? 0 : part.open->number(part.open->size() - 1);
}

NodeNumber last_node(const AskedList& asked) {
  NodeNumber last = 0;
  for (const SegmentPart* part : searched_parts(*asked.retriever->group, asked.retriever->similarity)) {
    last = std::max(last, last_of(*part));
  }
  return last;
}

/// Adds the numbers above `last` that are not deleted. @return false: there are too many.
bool add_later(const SegmentPart& part, NodeNumber last, std::vector<NodeNumber>& nodes) {
  const OpenSegment& segment = *part.open;
  const Tombstones deleted = part.deleted();
  for (std::size_t position = segment.size(); position-- > 0;) {
    const NodeNumber node = segment.number(position);
    if (node <= last) return true;
    if (nodes.size() == kEnteredMax) return false;
    if (!deleted.test(position)) nodes.push_back(node);
  }
  return true;
}

}  // namespace

std::vector<const SegmentPart*> searched_parts(const GroupSnapshot& group, Similarity similarity) {
  if (similarity == Similarity::vectors) return group.vectors();
  std::vector<const SegmentPart*> parts;
  for (const SegmentPart& part : group.words) parts.push_back(&part);
  return parts;
}

SearchLists::SearchLists(KnowledgeBase& kb, NodeRows& rows) : kb_(kb), rows_(rows) {
  if (kb.caches.has(Cached::lists)) at_ = rows.reading().commit_name();
}

void SearchLists::find(std::span<const AskedList> asked) {
  for (const AskedList& one : asked) lists_.push_back({one, {}, {}, {}});
  if (at_.id == 0) return;
  std::vector<std::string> keys;
  std::vector<List*> listed;
  for (List& list : lists_) {
    const PlannedRetriever& retriever = *list.asked.retriever;
    if (retriever.similarity == Similarity::own || !is_whole(*retriever.group, retriever.similarity))
      continue;
    list.key = key_of(list.asked);
    keys.push_back(list.key);
    listed.push_back(&list);
  }
  const auto values = kb_.caches.get(Cached::lists, keys);
  for (std::size_t i = 0; i < listed.size(); ++i) {
    List& list = *listed[i];
    if (values[i]) list.known = decode_list(*values[i]);
    if (!list.known) continue;
    if (list.known->at.number >
        at_.number) {  // this search sees an older commit: it leaves the list to others
      list.known.reset();
      list.key.clear();
    } else if (!find_entered(list)) {
      list.known.reset();
    }
  }
}

/// Whether all nodes of the group are in its segments, so that only later numbers can come: while something
/// is mended, or vectors are still made, earlier ones can.
bool SearchLists::is_whole(const GroupSnapshot& group, Similarity similarity) {
  if (!counts_) counts_ = rows_.reading().counts();
  std::uint64_t alive = 0, nodes = 0, groups = 0;
  for (const SegmentPart* part : searched_parts(group, similarity)) {
    alive += part->row.nodes - part->row.deleted_nodes;
  }
  for (const auto& [name, count] : counts_->nodes) {
    if (name != group.row.name) continue;
    nodes += count;
    ++groups;
  }
  return groups == 1 && nodes == alive && nodes > 0;
}

std::string SearchLists::key_of(const AskedList& asked) {
  const PlannedRetriever& retriever = *asked.retriever;
  const GroupSnapshot& group = *retriever.group;
  const bool by_words = retriever.similarity == Similarity::words;
  const std::string how =
      by_words ? fmt::format("words {} {} {} {}", group.words.front().row.signature, kb_.settings.bm25_k1,
                             kb_.settings.bm25_b, asked.operators)
               : fmt::format("vectors {} {} {}", group.fingerprint(), asked.recall,
                             kb_.remote && !group.remote.empty() ? kb_.remote->store().where() : "");
  const std::string filter = retriever.filter.to_string();
  return id_of({kVersion, kb_.identity(), std::to_string(group.row.id), group.row.signature, how, filter,
                std::to_string(asked.depth), asked.question})
      .to_string();
}

/// @return false: this commit cannot be reached from the list's.
bool SearchLists::find_entered(List& list) {
  if (list.known->at == at_) return true;
  if (!rows_.reading().follows(list.known->at)) return false;
  const PlannedRetriever& retriever = *list.asked.retriever;
  for (const SegmentPart* part : searched_parts(*retriever.group, retriever.similarity)) {
    if (last_of(*part) <= list.known->last_node) continue;
    if (!add_later(*part, list.known->last_node, list.entered)) return false;
  }
  if (retriever.filtered != nullptr) {  // fields changed: other nodes may pass
    const auto& changed = changed_since(list.known->at);
    if (!changed || changed->size() > kDocumentsMax) return false;
    for (const std::uint32_t document : *changed) {
      for (const NodeRow* node : rows_.of_document(document)) {
        if (node->group == retriever.group->row.id) list.entered.push_back(node->number);
      }
    }
  }
  std::ranges::sort(list.entered);
  const auto rest = std::ranges::unique(list.entered);
  list.entered.erase(rest.begin(), rest.end());
  return true;
}

const std::optional<std::vector<std::uint32_t>>& SearchLists::changed_since(const CommitName& at) {
  const auto [found, is_new] = changed_.try_emplace(at.id);
  if (is_new) found->second = rows_.reading().changed_documents(at);
  return found->second;
}

std::size_t SearchLists::longest(std::size_t i) const noexcept {
  const AskedList& asked = lists_[i].asked;
  // Scores by words move with every commit: of a longer list more can be told.
  return asked.depth + kSpare + asked.depth / (asked.retriever->similarity == Similarity::words ? 1 : 4);
}

const CachedList* SearchLists::known(std::size_t i) const noexcept {
  return lists_[i].known ? &*lists_[i].known : nullptr;
}

ListUpdate SearchLists::update(std::size_t i) const {
  const List& list = lists_[i];
  return {at_,
          std::max(last_node(list.asked), list.known->last_node),
          0,
          {},
          list.entered,
          list.asked.depth,
          longest(i),
          {}};
}

CachedList SearchLists::made(std::size_t i, std::span<const Scored> best, std::size_t wanted,
                             Bm25Counts counts) const {
  return listed(best, wanted, at_, last_node(lists_[i].asked), std::move(counts));
}

void SearchLists::put(std::size_t i, const CachedList& list) {
  kb_.caches.put(Cached::lists, lists_[i].key, encode(list));
}

}  // namespace hasten
