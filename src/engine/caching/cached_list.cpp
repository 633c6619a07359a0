#include "engine/caching/cached_list.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <unordered_map>

#include "base/packing.hpp"

namespace hasten {
namespace {

constexpr std::uint32_t kFormat = 1;
constexpr double kNone = -std::numeric_limits<double>::infinity();

std::vector<NodeNumber> numbers_of(const CachedList& list) {
  std::vector<NodeNumber> numbers;
  for (const CachedList::Place& place : list.places) numbers.push_back(place.node);
  std::ranges::sort(numbers);
  return numbers;
}

void sort_places(std::vector<CachedList::Place>& places) {
  std::ranges::sort(places, [](const CachedList::Place& a, const CachedList::Place& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
}

/// Cuts a list that has grown: what is cut off says how high the nodes score that are not listed.
void shorten(CachedList& list, std::size_t longest) {
  if (list.places.size() <= 2 * longest) return;
  list.border = std::max(list.border, list.places[longest].score);
  list.places.resize(longest);
}

bool is_deep_enough(const CachedList& list, std::size_t depth) {
  if (list.border == kNone) return true;
  return list.places.size() >= depth && depth > 0 && list.places[depth - 1].score > list.border;
}

}  // namespace

std::string encode(const CachedList& list) {
  Packer packer;
  packer.value(kFormat).value(list.at).value(list.last_node).value(list.border);
  packer.value(list.counts.statistics).values(list.counts.frequencies).values(list.places);
  return std::move(packer).bytes();
}

std::optional<CachedList> decode_list(std::string_view bytes) {
  Unpacker unpacker(bytes);
  if (unpacker.value<std::uint32_t>() != kFormat) return std::nullopt;
  CachedList list;
  list.at = unpacker.value<CommitName>();
  list.last_node = unpacker.value<NodeNumber>();
  list.border = unpacker.value<double>();
  list.counts.statistics = unpacker.value<Bm25Statistics>();
  list.counts.frequencies = unpacker.values<std::uint64_t>();
  list.places = unpacker.values<CachedList::Place>();
  if (!unpacker.whole()) return std::nullopt;
  return list;
}

std::optional<CachedList> updated(const CachedList& list, ListUpdate update) {
  const std::vector<NodeNumber> listed = numbers_of(list);
  std::vector<NodeNumber> nodes;
  std::ranges::set_union(listed, update.entered, std::back_inserter(nodes));
  std::unordered_map<NodeNumber, Id> ids;
  for (const CachedList::Place& place : list.places) ids.emplace(place.node, place.id);
  CachedList now{update.at, update.last_node, update.border, std::move(update.counts), {}};
  for (const Scored& scored : update.score(nodes)) {
    const auto known = ids.find(scored.node);
    now.places.push_back({scored.node, known == ids.end() ? Id() : known->second, scored.score});
  }
  sort_places(now.places);
  shorten(now, update.longest);
  if (!is_deep_enough(now, update.depth)) return std::nullopt;
  return now;
}

CachedList listed(std::span<const Scored> best, std::size_t wanted, const CommitName& at,
                  NodeNumber last_node, Bm25Counts counts) {
  CachedList list{at, last_node, kNone, std::move(counts), {}};
  for (const Scored& scored : best) list.places.push_back({scored.node, {}, scored.score});
  if (best.size() >= wanted && !best.empty()) list.border = best.back().score;
  return list;
}

}  // namespace hasten
