#include "retrieval/fold.hpp"

#include <algorithm>
#include <limits>
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

Window window_of(const Place& place, std::size_t position, std::size_t neighbours) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint32_t>::max();
  if (place.derived) neighbours = 0;
  const std::uint64_t n = std::min<std::uint64_t>(neighbours, kLast);
  return {{position},
          static_cast<std::uint32_t>(place.ordinal - std::min<std::uint64_t>(n, place.ordinal)),
          static_cast<std::uint32_t>(std::min(place.ordinal + n, kLast))};
}

bool can_join(const Place& a, const Place& b) {
  return a.document == b.document && a.group == b.group && !a.derived && !b.derived;
}

void absorb(Window& window, const Window& other) {
  window.hits.insert(window.hits.begin(), other.hits.begin(), other.hits.end());
  std::ranges::sort(window.hits);
  window.first = std::min(window.first, other.first);
  window.last = std::max(window.last, other.last);
}

}  // namespace

std::vector<std::size_t> fold(std::span<const Place> places, double share) {
  std::vector<std::size_t> kept;
  std::set<Id> texts;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto same = [&](std::size_t k) { return overlaps_more(places[k], places[i], share); };
    if (texts.contains(places[i].text_hash) || std::ranges::any_of(kept, same)) continue;
    texts.insert(places[i].text_hash);
    kept.push_back(i);
  }
  return kept;
}

std::vector<Window> windows(std::span<const Place> places, std::size_t neighbours) {
  std::vector<Window> all;  // no two touch
  for (std::size_t i = 0; i < places.size(); ++i) {
    Window joined = window_of(places[i], i, neighbours);
    std::vector<Window> apart;
    for (Window& other : all) {
      const Place& place = places[other.hits.front()];
      const bool touches = can_join(place, places[i]) && joined.first <= other.last &&
                           other.first <= joined.last;
      touches ? absorb(joined, other) : apart.push_back(std::move(other));
    }
    apart.push_back(std::move(joined));
    all = std::move(apart);
  }
  std::ranges::sort(all, {}, [](const Window& window) { return window.hits.front(); });
  return all;
}

}  // namespace hasten
