#include "engine/search/shape.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>

#include "engine/knowledge_base.hpp"
#include "hasten/error.hpp"
#include "retrieval/diversity.hpp"
#include "retrieval/fold.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

Place place_of(const NodeRow& row) {
  return {row.document, row.group, row.ordinal, row.span, row.text_hash, row.derived};
}

std::vector<Place> places_of(const std::vector<Ranked>& hits, NodeRows& rows) {
  std::vector<Place> places;
  for (const NodeRow* node : rows.of_hits(hits)) places.push_back(place_of(*node));
  return places;
}

/// What a node and its neighbours cover.
Span window_of(const Place& place, std::size_t neighbours, NodeRows& rows) {
  Span span = place.span;
  if (place.derived) return span;
  for (const NodeRow* row : rows.of_document(place.document)) {
    const std::size_t apart =
        row->ordinal > place.ordinal ? row->ordinal - place.ordinal : place.ordinal - row->ordinal;
    if (row->group != place.group || row->derived || apart > neighbours) continue;
    span = {std::min(span.from, row->span.from), std::max(span.to, row->span.to)};
  }
  return span;
}

// ---- target ----

/// Whether nodes of one group were made from those of the other, by way of however many between.
bool is_made_from(const Snapshot& snapshot, const GroupRow& group, const std::string& ancestor) {
  const GroupRow* at = &group;
  for (std::size_t steps = 0; steps <= snapshot.groups.size(); ++steps) {
    if (at->parent == ancestor) return true;
    const GroupSnapshot* parent = snapshot.find(at->parent);
    if (parent == nullptr) return false;
    at = &parent->row;
  }
  return false;
}

std::uint64_t shared_bytes(const Span& a, const Span& b) {
  const std::uint64_t from = std::max(a.from, b.from), to = std::min(a.to, b.to);
  return to > from ? to - from : 0;
}

/// Finds the nodes of one group that stand for nodes of others.
class Target {
 public:
  Target(const GroupSnapshot& target, const Snapshot& snapshot, NodeRows& rows)
      : target_(target), snapshot_(snapshot), rows_(rows) {}

  std::vector<const NodeRow*> of(const NodeRow& node) {
    if (node.group == target_.row.id) return {&node};
    const auto own = std::ranges::find_if(
        snapshot_.groups, [&](const GroupSnapshot& group) { return group.row.id == node.group; });
    if (own == snapshot_.groups.end()) return {};
    if (is_made_from(snapshot_, own->row, target_.row.name)) return ancestor(node);
    if (is_made_from(snapshot_, target_.row, own->row.name)) return descendants(node);
    return at_the_same_place(node);
  }

 private:
  std::vector<const NodeRow*> ancestor(const NodeRow& node) {
    const NodeRow* at = &node;
    while (at != nullptr && at->group != target_.row.id) at = at->parent ? rows_.find(*at->parent) : nullptr;
    return at == nullptr ? std::vector<const NodeRow*>{} : std::vector{at};
  }

  std::vector<const NodeRow*> descendants(const NodeRow& node) {
    const auto all = rows_.of_document(node.document);
    std::map<Id, const NodeRow*> by_id;
    for (const NodeRow* row : all) by_id.emplace(row->id, row);
    const auto is_made_from_it = [&](const NodeRow* row) {
      for (std::size_t steps = 0; steps < all.size() && row->parent; ++steps) {
        if (*row->parent == node.id) return true;
        const auto parent = by_id.find(*row->parent);
        if (parent == by_id.end()) return false;
        row = parent->second;
      }
      return false;
    };
    std::vector<const NodeRow*> found;
    for (const NodeRow* row : all) {
      if (row->group == target_.row.id && is_made_from_it(row)) found.push_back(row);
    }
    return found;
  }

  std::vector<const NodeRow*> at_the_same_place(const NodeRow& node) {
    std::vector<const NodeRow*> within;
    const NodeRow* widest = nullptr;
    std::uint64_t most = 0;
    for (const NodeRow* row : rows_.of_document(node.document)) {
      if (row->group != target_.row.id) continue;
      const std::uint64_t shared = shared_bytes(row->span, node.span);
      if (shared > 0 && shared == row->span.size()) within.push_back(row);
      if (shared > most) {
        most = shared;
        widest = row;
      }
    }
    if (!within.empty()) return within;
    return widest == nullptr ? std::vector<const NodeRow*>{} : std::vector{widest};
  }

  const GroupSnapshot& target_;
  const Snapshot& snapshot_;
  NodeRows& rows_;
};

// ---- diversity ----

std::optional<std::span<const float>> vector_of(const NodeRow& row, const Snapshot& snapshot,
                                                const SegmentStore& store) {
  for (const GroupSnapshot& group : snapshot.groups) {
    if (group.row.id != row.group) continue;
    for (const SegmentPart* part : group.vectors()) {
      const VectorSegment& segment = *part->open->flat;
      const std::size_t at = segment.find(row.number);
      if (at < segment.size()) return store.vector(part->row.signature, segment.entry(at).vector);
    }
  }
  return std::nullopt;
}

double inner_product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

std::vector<std::string> different_words(std::string_view text) {
  std::set<std::string> words;
  for (Term& term : terms(text)) words.insert(std::move(term.text));
  return {words.begin(), words.end()};
}

}  // namespace

std::vector<Ranked> to_target(const std::vector<Ranked>& hits, const GroupSnapshot& target,
                              const Snapshot& snapshot, NodeRows& rows) {
  Target finder(target, snapshot, rows);
  std::vector<Ranked> found;
  std::set<NodeNumber> seen;
  const std::vector<const NodeRow*> nodes = rows.of_hits(hits);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    for (const NodeRow* row : finder.of(*nodes[i])) {
      if (seen.insert(row->number).second) found.push_back({row->number, row->id, hits[i].score});
    }
  }
  sort_ranked(found);
  return found;
}

std::vector<Ranked> without_duplicates(const std::vector<Ranked>& hits, double share, NodeRows& rows) {
  std::vector<Ranked> kept;
  for (const std::size_t i : fold(places_of(hits, rows), share)) kept.push_back(hits[i]);
  return kept;
}

std::vector<Ranked> diversified(const std::vector<Ranked>& hits, double diversity, std::size_t k,
                                const Snapshot& snapshot, const SegmentStore& store, NodeRows& rows,
                                const std::stop_token& stop) {
  std::vector<double> relevance;
  std::vector<std::span<const float>> vectors;
  const std::vector<const NodeRow*> nodes = rows.of_hits(hits);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    relevance.push_back(hits[i].score);
    if (const auto vector = vector_of(*nodes[i], snapshot, store)) vectors.push_back(*vector);
  }
  std::vector<std::vector<std::string>> words;
  if (vectors.size() < hits.size()) {
    for (const std::string& text : texts_of(rows.reading(), nodes)) words.push_back(different_words(text));
  }
  const auto similarity = [&](std::size_t a, std::size_t b) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "the search was interrupted");
    return words.empty() ? inner_product(vectors[a], vectors[b]) : shared_words(words[a], words[b]);
  };
  std::vector<Ranked> chosen;
  for (const std::size_t i : maximal_marginal_relevance(relevance, similarity, 1 - diversity, k)) {
    chosen.push_back(hits[i]);
  }
  return chosen;
}

std::vector<ShapedHit> with_windows(const std::vector<Ranked>& hits, std::size_t neighbours, NodeRows& rows) {
  std::vector<ShapedHit> shaped;
  if (neighbours == 0) {
    const std::vector<const NodeRow*> nodes = rows.of_hits(hits);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      shaped.push_back({hits[i].node, hits[i].score, nodes[i]->span});
    }
    return shaped;
  }
  std::vector<Place> places = places_of(hits, rows);
  for (Place& place : places) place.span = window_of(place, neighbours, rows);
  for (const Window& window : join_windows(places)) {
    const Ranked& best = hits[window.hits.front()];
    shaped.push_back({best.node, best.score, window.span});
  }
  return shaped;
}

}  // namespace hasten
