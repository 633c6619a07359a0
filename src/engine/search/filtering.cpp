#include "engine/search/filtering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "engine/knowledge_base.hpp"

namespace hasten {
namespace {

constexpr std::size_t kStepsShown = 40;
constexpr std::size_t kCacheFilters = 64;
constexpr std::size_t kCacheBytes = std::size_t{32} << 20;

/// Marks the nodes of each vector segment that are deleted or do not pass. What a search plans with is the
/// share of nodes that do.
void reject_in_vectors(Filtered& filtered, const GroupSnapshot& group) {
  std::size_t nodes = 0, passing = 0;
  for (const SegmentPart* const part : group.vectors()) {
    const VectorSegment& segment = *part->open->flat;
    const std::size_t n = segment.size();
    const auto* const documents = segment.documents().array<std::uint32_t>(0, n);
    const Tombstones deleted = part->deleted();
    NodeDecisions::Rising decisions(filtered.nodes->decisions);
    std::vector<std::uint64_t> rejected(Bitmap::words_for(n));
    for (std::size_t at = 0; at < n; ++at) {
      const bool passes = !deleted.test(at) && filtered.documents.test(documents[at]) &&
                          decisions.of(segment.node(at)).value_or(filtered.nodes->whole.test(documents[at]));
      passing += passes ? 1 : 0;
      if (!passes) rejected[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    nodes += n;
    filtered.nodes->rejected.push_back(std::move(rejected));
  }
  if (nodes > 0)
    filtered.documents.set_selectivity(static_cast<double>(passing) / static_cast<double>(nodes));
}

/// Adds what was decided node by node.
void decide_nodes(Filtered& filtered, const GroupSnapshot& group, NodesAnswer answer) {
  if (answer.decisions.size() == 0) return;
  Filtered::Nodes nodes{std::move(answer.decisions), answer.documents.size(), filtered.documents, {}};
  filtered.nodes = std::move(nodes);
  for (const std::uint32_t document : answer.documents) filtered.documents.add(document);
  reject_in_vectors(filtered, group);
}

/// The nodes of a group with fields of their own that are mentioned, decided by reading them all.
NodesAnswer nodes_by_rows(const SegmentStore::Reading& reading, std::uint32_t group, const Filter& filter) {
  NodesAnswer answer;
  std::unordered_map<std::uint32_t, Metadata> documents;
  reading.for_each_node(group, 0, UINT64_MAX, [&](const NodeRow& node) {
    const auto own = [&](const std::string& field) { return node.metadata.contains(field); };
    if (!mentions(*filter.expression(), own)) return;
    auto document = documents.find(node.document);
    if (document == documents.end()) {
      const auto row = reading.document(node.document);
      document = documents.emplace(node.document, row ? document_fields(*row) : Metadata()).first;
    }
    Metadata fields = node.metadata;
    fields.insert(document->second.begin(), document->second.end());
    const bool passes = filter.matches(fields);
    answer.decisions.decide(node.number, passes);
    if (passes) answer.documents.push_back(node.document);
  });
  answer.decisions.finish();
  return answer;
}

/// The document of a node, from the group's word segments.
std::optional<std::uint32_t> document_of(NodeNumber node, const GroupSnapshot& group) {
  for (const SegmentPart& part : group.words) {
    const Bm25Segment& segment = *part.open->words;
    const std::size_t at = segment.find(node);
    if (at < segment.nodes()) return segment.document(at);
  }
  return std::nullopt;
}

/// A line each part of the filter, those of `and`, `or` and `not` below it.
std::string plan_text(const Filtered& filtered) {
  std::string text;
  for (const FilterStep& step :
       std::span(filtered.steps).first(std::min(filtered.steps.size(), kStepsShown))) {
    text += fmt::format("{}{:{}}{}", text.empty() ? "" : "\n", "", 2 * step.depth, step.condition);
    if (!step.index.empty()) text += fmt::format(" by {}", step.index);
    text += fmt::format(": expected {:.0f}, ", step.expected);
    text += step.looked_at ? fmt::format("passed {}", step.passed) : "not looked at";
  }
  if (filtered.steps.size() > kStepsShown) {
    text += fmt::format("\nand {} parts more", filtered.steps.size() - kStepsShown);
  }
  if (filtered.nodes) {
    text += fmt::format("\nof {} nodes with such fields of their own: passed {}",
                        filtered.nodes->decisions.size(), filtered.nodes->passed);
  }
  return text;
}

}  // namespace

bool Filtered::accepts(NodeNumber node, const GroupSnapshot& group) const {
  if (!nodes) return true;
  if (const auto decided = nodes->decisions.of(node)) return *decided;
  const auto document = document_of(node, group);
  return document && nodes->whole.test(*document);
}

bool Filtered::accepts(NodeNumber node, std::uint32_t document) const {
  if (!documents.test(document)) return false;
  return !nodes || nodes->decisions.of(node).value_or(nodes->whole.test(document));
}

std::vector<VectorInput> Filtered::vector_inputs(const GroupSnapshot& group) const {
  auto inputs = group.vector_inputs();
  if (!nodes) return inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].deleted = Tombstones(nodes->rejected[i]);
  return inputs;
}

std::size_t Filtered::bytes() const noexcept {
  std::size_t bytes = documents.words().size_bytes();
  if (!nodes) return bytes;
  bytes += nodes->whole.words().size_bytes() + nodes->decisions.size() * sizeof(NodeNumber);
  for (const auto& words : nodes->rejected) bytes += words.size() * sizeof(std::uint64_t);
  return bytes;
}

Filtered filter_by_columns(const Snapshot& snapshot, const GroupSnapshot* group, const Filter& filter) {
  const auto documents = field_inputs(snapshot.fields);
  FieldsAnswer answer = match_documents(documents, *filter.expression());
  Filtered filtered;
  filtered.documents = std::move(answer.documents);
  filtered.steps = std::move(answer.steps);
  if (group != nullptr) {
    decide_nodes(filtered, *group, match_nodes(field_inputs(group->fields), documents, *filter.expression()));
  }
  return filtered;
}

Filtered filter_by_rows(const SegmentStore::Reading& reading, const GroupSnapshot* group,
                        const Filter& filter) {
  Filtered filtered;
  filtered.by_columns = false;
  filtered.documents =
      documents_where(reading, [&](const DocumentRow& row) { return filter.matches(document_fields(row)); });
  if (group != nullptr) decide_nodes(filtered, *group, nodes_by_rows(reading, group->row.id, filter));
  return filtered;
}

void explain(Trace::Span& span, const Filtered& filtered) {
  const auto note = [&](std::string_view key, std::size_t value) {
    span.note(key, static_cast<std::int64_t>(value));
  };
  span.note("by",
            filtered.by_columns ? "columns" : "rows: there are no columns yet, `hasten ingest` makes them");
  note("documents", filtered.documents.count());
  note("of", filtered.documents.documents());
  if (filtered.nodes) note("nodes_passed", filtered.nodes->passed);
  if (!filtered.steps.empty()) span.note("expected", fmt::format("{:.0f}", filtered.steps.front().expected));
  span.note("selectivity", fmt::format("{:.4f}", filtered.documents.selectivity()));
  span.note("us", fmt::format("{:.0f}", filtered.us));
  if (!filtered.steps.empty()) span.note("plan", plan_text(filtered));
}

std::pair<std::shared_ptr<const Filtered>, bool> FilterCache::evaluate(const SegmentStore::Reading& reading,
                                                                       const Snapshot& snapshot,
                                                                       const GroupSnapshot* group,
                                                                       const Filter& filter) {
  const std::lock_guard lock(mutex_);
  auto key = fmt::format("{}\n{}", group == nullptr ? "" : group->row.name, filter.to_string());
  const auto known = known_.find(key);
  if (known != known_.end() && known->second->commit == snapshot.commit) return {known->second, true};
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const bool columns = snapshot.documents_in_columns() == reading.counts().documents;
  auto fresh = std::make_shared<Filtered>(columns ? filter_by_columns(snapshot, group, filter)
                                                  : filter_by_rows(reading, group, filter));
  fresh->commit = snapshot.commit;
  fresh->us = std::chrono::duration<double, std::micro>(Clock::now() - began).count();
  if (known != known_.end()) bytes_ -= known->second->bytes();
  bytes_ += fresh->bytes();
  if (known_.size() >= kCacheFilters || bytes_ > kCacheBytes) {
    known_.clear();
    bytes_ = fresh->bytes();
  }
  known_.insert_or_assign(std::move(key), fresh);
  return {std::move(fresh), false};
}

}  // namespace hasten
