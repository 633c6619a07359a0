#include "retrieval/question_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "hasten/error.hpp"
#include "indexes/kernels.hpp"

namespace hasten {
namespace {

constexpr std::size_t kListMax = 128;  // questions of a list, before it is split
constexpr std::size_t kListMin = 16;   // below it, a list is dissolved
constexpr std::size_t kSplitRounds = 4;
constexpr std::size_t kProbes = 64;      // lists whose signs are looked at
constexpr std::size_t kCandidates = 96;  // questions that are scored

DotRows dot_rows() {
  static const DotRows kernel = dot_rows_kernel(simd());
  return kernel;
}

double square_of(std::span<const std::int8_t> codes) {
  return std::accumulate(codes.begin(), codes.end(), 0.0, [](double sum, int c) { return sum + c * c; });
}

constexpr std::size_t kWordBits = 64;
constexpr std::size_t kAhead = 4;  // rows that are fetched before they are scored

/// Asks for memory that is read soon: lists lie anywhere in it.
void fetch(const void* from, std::size_t bytes) noexcept {
  constexpr std::size_t kLine = 64;
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(static_cast<const char*>(from) + at);
}

/// How many bits of each row differ from the query's. @param rows  n * words.
void count_differing(std::span<const std::uint64_t> query, const std::uint64_t* rows, std::size_t n,
                     std::uint16_t* out) noexcept {
  for (std::size_t row = 0; row < n; ++row, rows += query.size()) {
    int differing = 0;
    for (std::size_t word = 0; word < query.size(); ++word)
      differing += std::popcount(query[word] ^ rows[word]);
    out[row] = static_cast<std::uint16_t>(differing);
  }
}

#ifdef __x86_64__
/// The same; the compiler uses the processor's instruction.
[[gnu::target("popcnt")]] void count_differing_popcnt(std::span<const std::uint64_t> query,
                                                      const std::uint64_t* rows, std::size_t n,
                                                      std::uint16_t* out) noexcept {
  for (std::size_t row = 0; row < n; ++row, rows += query.size()) {
    long long differing = 0;
    for (std::size_t word = 0; word < query.size(); ++word) {
      differing += __builtin_popcountll(query[word] ^ rows[word]);
    }
    out[row] = static_cast<std::uint16_t>(differing);
  }
}
#endif

using CountDiffering = decltype(&count_differing);

CountDiffering differing_kernel() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("popcnt")) return count_differing_popcnt;
#endif
  return count_differing;
}

/// A list's vectors, each of length 1, as floats.
class Members {
 public:
  Members(std::span<const std::int8_t> codes, std::span<const float> inverse_norms, std::size_t dim)
      : dim_(dim), values_(codes.size()) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = static_cast<float>(codes[i]) * inverse_norms[i / dim];
    }
  }
  std::size_t size() const noexcept { return values_.size() / dim_; }
  std::span<const float> row(std::size_t i) const { return {values_.data() + i * dim_, dim_}; }

  std::vector<float> mean(std::span<const std::size_t> rows) const {
    std::vector<float> mean(dim_);
    for (const std::size_t r : rows) {
      const auto values = row(r);
      for (std::size_t i = 0; i < dim_; ++i) mean[i] += values[i];
    }
    for (float& value : mean) value /= static_cast<float>(rows.size());
    return mean;
  }

  std::size_t farthest_from(std::span<const float> point) const {
    std::size_t farthest = 0;
    double least = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < size(); ++i) {
      if (const double near = dot(row(i), point); near < least) farthest = i, least = near;
    }
    return farthest;
  }

 private:
  std::size_t dim_;
  std::vector<float> values_;
};

/// The rows of the two halves.
using Halves = std::array<std::vector<std::size_t>, 2>;

/// By how much nearer each row is to the second point than to the first.
std::vector<double> leanings(const Members& members, std::span<const float> a, std::span<const float> b) {
  const double middle = (dot(b, b) - dot(a, a)) / 2;
  std::vector<double> leaning(members.size());
  for (std::size_t i = 0; i < leaning.size(); ++i) {
    leaning[i] = dot(members.row(i), b) - dot(members.row(i), a) - middle;
  }
  return leaning;
}

/// Two means. Halves of very different sizes are made equal ones, along the same direction.
Halves two_means(const Members& members) {
  std::vector<std::size_t> all(members.size());
  std::iota(all.begin(), all.end(), 0);
  const auto seed_a = members.row(members.farthest_from(members.mean(all)));
  const auto seed_b = members.row(members.farthest_from(seed_a));
  std::vector<float> a(seed_a.begin(), seed_a.end()), b(seed_b.begin(), seed_b.end());
  std::vector<double> leaning;
  Halves halves;
  for (std::size_t round = 0; round < kSplitRounds; ++round) {
    leaning = leanings(members, a, b);
    halves = {};
    for (const std::size_t i : all) halves[leaning[i] > 0 ? 1 : 0].push_back(i);
    if (halves[0].empty() || halves[1].empty()) break;
    a = members.mean(halves[0]);
    b = members.mean(halves[1]);
  }
  if (std::min(halves[0].size(), halves[1].size()) < members.size() / 8) {
    std::ranges::stable_sort(all, {}, [&](std::size_t i) { return leaning[i]; });
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    halves = {std::vector(all.begin(), middle), std::vector(middle, all.end())};
  }
  return halves;
}

}  // namespace

QuestionIndex::QuestionIndex(std::size_t dim)
    : dim_(dim), words_((dim + kWordBits - 1) / kWordBits), rotation_(dim) {}

QuestionIndex::Coded QuestionIndex::coded(std::span<const float> vector) const {
  if (vector.size() != dim_) {
    throw Error(Code::invalid, fmt::format("a vector of {} numbers for an index of {}", vector.size(), dim_));
  }
  Coded coded{std::vector<std::int8_t>(dim_), std::vector<std::uint64_t>(words_), 0};
  const bool numbers = std::ranges::all_of(vector, [](float value) { return std::isfinite(value); });
  if (!numbers || quantise(vector, coded.codes) == 0) {
    throw Error(Code::invalid, "a vector of zeros, or with values that are no numbers, is near nothing");
  }
  coded.inverse_norm = static_cast<float>(1 / std::sqrt(square_of(coded.codes)));
  std::vector<float> rotated(vector.begin(), vector.end());
  rotation_.apply(rotated.data());
  for (std::size_t i = 0; i < dim_; ++i) {
    if (rotated[i] > 0) coded.signs[i / kWordBits] |= std::uint64_t{1} << (i % kWordBits);
  }
  return coded;
}

void QuestionIndex::add(std::uint64_t id, std::span<const float> vector) {
  const Coded code = coded(vector);
  const std::unique_lock lock(mutex_);
  if (const auto found = places_.find(id); found != places_.end()) take_out(found->second);
  if (lists_.empty()) {
    lists_.emplace_back();
    centres_.resize(dim_);
    centre_scales_.resize(1);
    set_centre(0, vector);
  }
  const std::uint32_t list = nearest_lists(code, 1).front();
  put(list, id, code.codes, code.signs, code.inverse_norm);
  if (lists_[list].ids.size() > kListMax) split(list);
}

bool QuestionIndex::remove(std::uint64_t id) {
  const std::unique_lock lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return false;
  take_out(found->second);
  return true;
}

void QuestionIndex::clear() {
  const std::unique_lock lock(mutex_);
  lists_ = std::vector<List>();
  centres_ = std::vector<std::int8_t>();
  centre_scales_ = std::vector<CentreScale>();
  places_ = std::unordered_map<std::uint64_t, Place>();
}

std::vector<QuestionIndex::Near> QuestionIndex::nearest(std::span<const float> vector, std::size_t k) const {
  const Coded query = coded(vector);
  const std::shared_lock lock(mutex_);
  std::vector<Near> found;
  const std::vector<Place> places = candidates(query, std::max(kCandidates, 2 * k));
  const auto codes_of = [&](Place place) { return lists_[place.list].codes.data() + place.slot * dim_; };
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (i + kAhead < places.size()) fetch(codes_of(places[i + kAhead]), dim_);
    const Place place = places[i];
    const List& list = lists_[place.list];
    std::int32_t sum = 0;
    dot_rows()(query.codes.data(), codes_of(place), 1, dim_, &sum);
    const double cosine = static_cast<double>(sum) * query.inverse_norm * list.inverse_norms[place.slot];
    found.push_back({list.ids[place.slot], std::min(1.0, cosine)});
  }
  const auto better = [](const Near& a, const Near& b) {
    return a.cosine != b.cosine ? a.cosine > b.cosine : a.id < b.id;
  };
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(k, found.size()));
  std::partial_sort(found.begin(), end, found.end(), better);
  found.erase(end, found.end());
  return found;
}

/// Those of the nearest lists whose signs differ least from the query's: at least n, if there are so many.
std::vector<QuestionIndex::Place> QuestionIndex::candidates(const Coded& query, std::size_t n) const {
  static const CountDiffering differing = differing_kernel();
  const std::vector<std::uint32_t> lists = nearest_lists(query, kProbes);
  std::size_t total = 0;
  for (const std::uint32_t list : lists) total += lists_[list].ids.size();
  std::vector<std::uint16_t> distances(total);
  std::vector<std::uint32_t> with_distance(words_ * kWordBits + 1);
  for (std::size_t at = 0, i = 0; i < lists.size(); ++i) {
    const List& list = lists_[lists[i]];
    if (i + 1 < lists.size()) {
      const auto& next = lists_[lists[i + 1]].signs;
      fetch(next.data(), next.size() * sizeof(std::uint64_t));
    }
    differing(query.signs, list.signs.data(), list.ids.size(), distances.data() + at);
    for (const std::size_t end = at + list.ids.size(); at < end; ++at) ++with_distance[distances[at]];
  }
  std::size_t limit = 0;
  for (std::size_t nearer = with_distance[0]; nearer < std::min(n, total);) nearer += with_distance[++limit];
  std::vector<Place> places;
  for (std::size_t at = 0; const std::uint32_t list : lists) {
    for (std::uint32_t slot = 0; slot < lists_[list].ids.size(); ++slot, ++at) {
      if (distances[at] <= limit) places.push_back({list, slot});
    }
  }
  return places;
}

std::size_t QuestionIndex::size() const {
  const std::shared_lock lock(mutex_);
  return places_.size();
}

std::size_t QuestionIndex::bytes() const {
  const std::shared_lock lock(mutex_);
  // A node of the map: its value, a pointer to the next and what allocating it costs.
  constexpr std::size_t kPlaceBytes = sizeof(std::pair<std::uint64_t, Place>) + 2 * sizeof(void*);
  std::size_t bytes = lists_.capacity() * sizeof(List) + centres_.capacity() +
                      centre_scales_.capacity() * sizeof(CentreScale) + places_.size() * kPlaceBytes +
                      places_.bucket_count() * sizeof(void*);
  for (const List& list : lists_) {
    bytes += list.ids.capacity() * sizeof(std::uint64_t) + list.codes.capacity() +
             list.signs.capacity() * sizeof(std::uint64_t) + list.inverse_norms.capacity() * sizeof(float);
  }
  return bytes;
}

void QuestionIndex::put(std::uint32_t list, std::uint64_t id, std::span<const std::int8_t> codes,
                        std::span<const std::uint64_t> signs, float inverse_norm) {
  List& into = lists_[list];
  places_[id] = {list, static_cast<std::uint32_t>(into.ids.size())};
  into.ids.push_back(id);
  into.codes.insert(into.codes.end(), codes.begin(), codes.end());
  into.signs.insert(into.signs.end(), signs.begin(), signs.end());
  into.inverse_norms.push_back(inverse_norm);
}

void QuestionIndex::take_out(Place place) {
  erase(place);
  if (lists_[place.list].ids.empty()) {
    drop(place.list);
  } else if (lists_[place.list].ids.size() < kListMin && lists_.size() > 1) {
    dissolve(place.list);
  }
}

/// The list's last takes its place.
void QuestionIndex::erase(Place place) {
  List& list = lists_[place.list];
  const std::size_t last = list.ids.size() - 1;
  places_.erase(list.ids[place.slot]);
  if (place.slot != last) {
    list.ids[place.slot] = list.ids[last];
    list.inverse_norms[place.slot] = list.inverse_norms[last];
    std::copy_n(list.codes.begin() + static_cast<std::ptrdiff_t>(last * dim_), dim_,
                list.codes.begin() + static_cast<std::ptrdiff_t>(place.slot * dim_));
    std::copy_n(list.signs.begin() + static_cast<std::ptrdiff_t>(last * words_), words_,
                list.signs.begin() + static_cast<std::ptrdiff_t>(place.slot * words_));
    places_[list.ids[place.slot]] = place;
  }
  list.ids.pop_back();
  list.inverse_norms.pop_back();
  list.codes.resize(last * dim_);
  list.signs.resize(last * words_);
}

/// By the distance to their centres: |c|^2 / 2 - q c, without what all of them share.
std::vector<std::uint32_t> QuestionIndex::nearest_lists(const Coded& query, std::size_t n) const {
  std::vector<std::int32_t> sums(lists_.size());
  dot_rows()(query.codes.data(), centres_.data(), lists_.size(), dim_, sums.data());
  std::vector<std::pair<float, std::uint32_t>> distances(lists_.size());
  for (std::uint32_t i = 0; i < distances.size(); ++i) {
    const auto [scale, half_square] = centre_scales_[i];
    distances[i] = {half_square - static_cast<float>(sums[i]) * query.inverse_norm * scale, i};
  }
  const auto end = distances.begin() + static_cast<std::ptrdiff_t>(std::min(n, distances.size()));
  std::partial_sort(distances.begin(), end, distances.end());
  std::vector<std::uint32_t> lists;
  for (auto at = distances.begin(); at != end; ++at) lists.push_back(at->second);
  return lists;
}

void QuestionIndex::set_centre(std::uint32_t list, std::span<const float> centre) {
  const auto codes = std::span(centres_).subspan(list * dim_, dim_);
  const float scale = quantise(centre, codes);
  centre_scales_[list] = {scale, static_cast<float>(square_of(codes) * scale * scale / 2)};
}

void QuestionIndex::split(std::uint32_t list) {
  const List old = std::exchange(lists_[list], {});
  const auto added = static_cast<std::uint32_t>(lists_.size());
  lists_.emplace_back();
  centres_.resize(centres_.size() + dim_);
  centre_scales_.emplace_back();
  const Members members(old.codes, old.inverse_norms, dim_);
  const Halves halves = two_means(members);
  for (const std::size_t half : {0, 1}) {
    const std::uint32_t into = half == 0 ? list : added;
    set_centre(into, members.mean(halves[half]));
    for (const std::size_t i : halves[half]) {
      put(into, old.ids[i], std::span(old.codes).subspan(i * dim_, dim_),
          std::span(old.signs).subspan(i * words_, words_), old.inverse_norms[i]);
    }
  }
}

void QuestionIndex::dissolve(std::uint32_t list) {
  const List old = std::exchange(lists_[list], {});
  drop(list);
  for (std::size_t i = 0; i < old.ids.size(); ++i) {
    const auto codes = std::span(old.codes).subspan(i * dim_, dim_);
    const Coded code{{codes.begin(), codes.end()}, {}, old.inverse_norms[i]};
    const std::uint32_t into = nearest_lists(code, 1).front();
    put(into, old.ids[i], codes, std::span(old.signs).subspan(i * words_, words_), code.inverse_norm);
    if (lists_[into].ids.size() > kListMax) split(into);
  }
}

/// An empty list's number goes to the last.
void QuestionIndex::drop(std::uint32_t list) {
  const auto last = static_cast<std::uint32_t>(lists_.size() - 1);
  if (list != last) {
    lists_[list] = std::move(lists_[last]);
    centre_scales_[list] = centre_scales_[last];
    std::copy_n(centres_.begin() + static_cast<std::ptrdiff_t>(last * dim_), dim_,
                centres_.begin() + static_cast<std::ptrdiff_t>(list * dim_));
    for (const std::uint64_t id : lists_[list].ids) places_[id].list = list;
  }
  lists_.pop_back();
  centre_scales_.pop_back();
  centres_.resize(centres_.size() - dim_);
}

}  // namespace hasten
