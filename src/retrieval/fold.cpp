#include "retrieval/fold.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace hasten {
namespace {

/// The share of the shorter span that both hold.
double overlap(const Span& a, const Span& b) {
  const std::uint64_t from = std::max(a.from, b.from), to = std::min(a.to, b.to);
  const std::uint64_t shorter = std::min(a.size(), b.size());
  return to > from && shorter > 0 ? static_cast<double>(to - from) / static_cast<double>(shorter) : 0;
}

bool overlaps_more(const Place& a, const Place& b, double share) {
  return a.document == b.document && !a.derived && !b.derived && overlap(a.span, b.span) > share;
}

bool can_join(const Place& a, const Place& b) {
  return a.document == b.document && a.group == b.group && !a.derived && !b.derived;
}

void absorb(Window& window, const Window& other) {
  window.hits.insert(window.hits.begin(), other.hits.begin(), other.hits.end());
  std::ranges::sort(window.hits);
  window.span = {std::min(window.span.from, other.span.from), std::max(window.span.to, other.span.to)};
}

}  // namespace

std::vector<std::size_t> fold(std::span<const Place> places, double share) {
  std::vector<std::size_t> kept;
  std::map<decltype(Place::document), std::vector<std::size_t>> kept_of;
  std::set<Id> texts;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::vector<std::size_t>& of_document = kept_of[places[i].document];
    const auto same = [&](std::size_t k) { return overlaps_more(places[k], places[i], share); };
    if (texts.contains(places[i].text_hash) || std::ranges::any_of(of_document, same)) continue;
    texts.insert(places[i].text_hash);
    of_document.push_back(i);
    kept.push_back(i);
  }
  return kept;
}

std::vector<Window> join_windows(std::span<const Place> places) {
  std::vector<Window> all;  // no two overlap
  for (std::size_t i = 0; i < places.size(); ++i) {
    Window joined{{i}, places[i].span};
    std::vector<Window> apart;
    for (Window& other : all) {
      const bool touches = can_join(places[other.hits.front()], places[i]) &&
                           joined.span.from < other.span.to && other.span.from < joined.span.to;
      touches ? absorb(joined, other) : apart.push_back(std::move(other));
    }
    apart.push_back(std::move(joined));
    all = std::move(apart);
  }
  std::ranges::sort(all, {}, [](const Window& window) { return window.hits.front(); });
  return all;
}

}  // namespace hasten
