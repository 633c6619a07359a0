#include "indexes/ivf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/threads.hpp"
#include "hasten/error.hpp"
#include "indexes/ivf_layout.hpp"
#include "indexes/sections.hpp"
#include "indexes/smallest_sums.hpp"

namespace hasten {

using namespace ivf_layout;

namespace {

constexpr std::uint32_t kNone = NeighbourGraph::kNone;
constexpr std::size_t kListsMax = 1 << 16;
constexpr std::size_t kSamplePerList = 64;  // vectors that centroids are learned from
constexpr int kRounds = 10;
constexpr std::size_t kPiece = 1024;

std::size_t rounded_up(std::size_t n) { return (n + kFastScanRows - 1) / kFastScanRows * kFastScanRows; }

// Centroids as they are learned (float32) and as they are stored and compared with (int8).
struct Centroids {
  std::size_t dim;
  std::vector<float> values;
  std::vector<std::int8_t> codes;
  std::vector<float> scales;

  std::size_t size() const noexcept { return scales.size(); }

  void quantise_all() {
    codes.resize(values.size());
    for (std::size_t i = 0; i < size(); ++i) {
      scales[i] = quantise(std::span(values).subspan(i * dim, dim), std::span(codes).subspan(i * dim, dim));
    }
  }
  float half_square(std::size_t i) const {
    float sum = 0;
    for (std::size_t d = 0; d < dim; ++d) sum += value(i, d) * value(i, d);
    return sum / 2;
  }
  float value(std::size_t list, std::size_t d) const {
    return static_cast<float>(codes[list * dim + d]) * scales[list];
  }
};

std::vector<float> half_squares(const Centroids& centroids) {
  std::vector<float> squares(centroids.size());
  for (std::size_t i = 0; i < squares.size(); ++i) squares[i] = centroids.half_square(i);
  return squares;
}

// The nearest centroid of each of these rows.
std::vector<std::uint32_t> assign(const CodedVectors& vectors, std::span<const std::size_t> rows,
                                  const Centroids& centroids, std::size_t threads, std::stop_token stop) {
  const DotRows dot_rows = dot_rows_kernel(simd());
  const std::vector<float> squares = half_squares(centroids);
  std::vector<std::uint32_t> lists(rows.size());
  parallel_for(
      rows.size() / kPiece + 1, threads,
      [&](std::size_t piece) {
        std::vector<std::int32_t> sums(centroids.size());
        for (std::size_t i = piece * kPiece; i < std::min(rows.size(), (piece + 1) * kPiece); ++i) {
          const float scale = vectors.scales[rows[i]];
          dot_rows(vectors.row(rows[i]).data(), centroids.codes.data(), centroids.size(), centroids.dim,
                   sums.data());
          float best = -INFINITY;
          for (std::size_t c = 0; c < sums.size(); ++c) {
            const float near = static_cast<float>(sums[c]) * (scale * centroids.scales[c]) - squares[c];
            if (near > best) best = near, lists[i] = static_cast<std::uint32_t>(c);
          }
        }
      },
      std::move(stop));
  return lists;
}

// k-means on a sample. An empty centroid takes a member of the largest one's.
Centroids learn(const CodedVectors& vectors, bool by_direction, std::size_t lists, std::size_t threads,
                const std::stop_token& stop) {
  const std::size_t n = vectors.size(), dim = vectors.dim;
  Centroids centroids{dim, std::vector<float>(lists * dim), {}, std::vector<float>(lists)};
  std::vector<std::size_t> rows(std::min(n, lists * kSamplePerList));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i * n / rows.size();
  const auto take = [&](std::size_t list, std::size_t row) {
    for (std::size_t d = 0; d < dim; ++d) {
      centroids.values[list * dim + d] = static_cast<float>(vectors.row(row)[d]) * vectors.scales[row];
    }
  };
  for (std::size_t list = 0; list < lists; ++list) take(list, rows[list * rows.size() / lists]);
  centroids.quantise_all();
  for (int round = 0; round < (lists > 1 ? kRounds : 1); ++round) {
    const auto assigned = assign(vectors, rows, centroids, threads, stop);
    std::vector<double> sums(lists * dim);
    std::vector<std::size_t> counts(lists);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ++counts[assigned[i]];
      for (std::size_t d = 0; d < dim; ++d) {
        sums[assigned[i] * dim + d] +=
            static_cast<double>(static_cast<float>(vectors.row(rows[i])[d]) * vectors.scales[rows[i]]);
      }
    }
    const auto largest = static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin());
    std::size_t member = 0;
    for (std::size_t list = 0; list < lists; ++list) {
      if (counts[list] == 0) {
        while (assigned[member] != largest) member = (member + 1) % rows.size();
        take(list, rows[member]);
        member = (member + 1) % rows.size();
        continue;
      }
      // By direction: of the mean's direction, and of length 1. What a question is nearest to is then a
      // matter of direction alone, as the vectors' own nearness is where all are equally long.
      double norm = 0;
      for (std::size_t d = 0; d < dim; ++d) norm += sums[list * dim + d] * sums[list * dim + d];
      norm = !by_direction ? static_cast<double>(counts[list]) : norm > 0 ? std::sqrt(norm) : 1;
      for (std::size_t d = 0; d < dim; ++d) {
        centroids.values[list * dim + d] = static_cast<float>(sums[list * dim + d] / norm);
      }
    }
    centroids.quantise_all();
  }
  return centroids;
}

// What each vector differs by from its centroid, as int8 vectors.
struct Residuals {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
};

Residuals residuals(const CodedVectors& vectors, const Centroids& centroids,
                    std::span<const std::uint32_t> lists, std::size_t threads) {
  Residuals found{std::vector<std::int8_t>(vectors.codes.size()), std::vector<float>(vectors.size())};
  parallel_for(vectors.size() / kPiece + 1, threads, [&](std::size_t piece) {
    std::vector<float> difference(vectors.dim);
    for (std::size_t i = piece * kPiece; i < std::min(vectors.size(), (piece + 1) * kPiece); ++i) {
      for (std::size_t d = 0; d < vectors.dim; ++d) {
        difference[d] =
            static_cast<float>(vectors.row(i)[d]) * vectors.scales[i] - centroids.value(lists[i], d);
      }
      found.scales[i] = quantise(difference, std::span(found.codes).subspan(i * vectors.dim, vectors.dim));
    }
  });
  return found;
}

// What half the square of a vector is above that of its centroid, in 8 bits: as the values of two further
// subspaces, of 16 steps and of 1.
struct Rests {
  static constexpr std::size_t kSubspaces = 4;  // blocks have a multiple of 4; two stay 0
  float least = 0, step = 0;
  std::vector<std::uint8_t> codes;  // empty: the metric needs none

  Rests() = default;
  Rests(const CodedVectors& vectors, const Centroids& centroids, std::span<const std::uint32_t> lists) {
    const std::vector<float> of_centroid = half_squares(centroids);
    std::vector<float> values(vectors.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = vectors.square(i) / 2 - of_centroid[lists[i]];
    }
    const auto [low, high] = std::ranges::minmax(values);
    least = low;
    step = (high - low) / 255;
    for (const float value : values) {
      codes.push_back(step > 0 ? static_cast<std::uint8_t>((value - least) / step + 0.5f) : 0);
    }
  }

  static std::array<CodeValues, kSubspaces> values(float least, float step) {
    std::array<CodeValues, kSubspaces> values{};
    for (std::size_t c = 0; c < ProductShape::kCodes; ++c) {
      values[0][c] = -least - 16 * step * static_cast<float>(c);
      values[1][c] = -step * static_cast<float>(c);
    }
    return values;
  }
};

constexpr std::uint32_t kSumsEnd = 1 << 18;  // a fast scan's sum and how far a list is behind, together

struct Found {
  std::uint32_t position;
  std::uint32_t sum;
};

// Reused by the searches of a thread.
struct Scratch {
  SmallestSums smallest{kSumsEnd};
  ProductTables tables;
  std::vector<Found> found;
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

// Lists are sought while vectors are: when more of them are needed.
Scratch& scratch_of_lists() {
  thread_local Scratch mine;
  return mine;
}

// The product codes of these rows as blocks, and the rests' where there are some; kNone leaves a place empty.
void write_codes(SegmentSink& sink, std::string_view section, const CodedVectors& vectors,
                 std::span<const std::uint32_t> rows, const ProductShape& shape,
                 std::span<const float> codebook, const Rests& rests, std::size_t threads,
                 const std::stop_token& stop) {
  sink.begin(section);
  const std::size_t subspaces = shape.subspaces + (rests.codes.empty() ? 0 : Rests::kSubspaces);
  const std::size_t block_bytes = subspaces * kFastScanBytes;
  std::vector<std::uint8_t> blocks;
  const std::size_t all = rows.size() / kFastScanRows;
  for (std::size_t first = 0; first < all; first += kPiece) {
    const std::size_t count = std::min(kPiece, all - first);
    blocks.assign(count * block_bytes, 0);
    parallel_for(
        count, threads,
        [&](std::size_t b) {
          std::vector<std::uint8_t> codes(subspaces);
          const auto block = std::span(blocks).subspan(b * block_bytes, block_bytes);
          for (std::size_t i = 0; i < kFastScanRows; ++i) {
            const std::uint32_t row = rows[(first + b) * kFastScanRows + i];
            if (row == kNone) continue;
            encode(vectors, row, shape, codebook, codes);
            if (!rests.codes.empty()) codes[shape.subspaces] = rests.codes[row] >> 4;
            if (!rests.codes.empty()) codes[shape.subspaces + 1] = rests.codes[row] & 15;
            put_codes(codes, i, block);
          }
        },
        stop);
    sink.write(std::as_bytes(std::span(blocks)));
  }
}

}  // namespace

void write_ivf(const CodedVectors& vectors, Metric metric, const IvfParameters& parameters, SegmentSink& sink,
               std::size_t threads, std::stop_token stop) {
  const std::size_t n = vectors.size();
  std::size_t lists = parameters.lists;
  if (lists == 0) lists = static_cast<std::size_t>(4 * std::sqrt(static_cast<double>(n)));
  lists = std::clamp<std::size_t>(lists, 1, std::min(n, kListsMax));
  const bool by_direction = metric != Metric::l2 && equally_long(vectors);
  const Centroids centroids = learn(vectors, by_direction, lists, threads, stop);
  std::vector<std::size_t> rows(n);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const auto assigned = assign(vectors, rows, centroids, threads, stop);
  const ProductShape shape = ProductShape::of(vectors.dim, Rests::kSubspaces);
  const bool coded = parameters.product_codes;
  const Rests rests = coded && metric == Metric::l2 ? Rests(vectors, centroids, assigned) : Rests();

  std::vector<std::vector<std::uint32_t>> members(lists);
  for (std::uint32_t i = 0; i < n; ++i) members[assigned[i]].push_back(i);
  std::vector<std::uint32_t> begins{0}, places;
  for (auto& list : members) {
    list.resize(rounded_up(list.size()), kNone);
    places.insert(places.end(), list.begin(), list.end());
    begins.push_back(static_cast<std::uint32_t>(places.size() / kFastScanRows));
  }
  const Header header{kLayout,     lists,       begins.back(), coded ? shape.subspaces : 0,
                      shape.width, rests.least, rests.step};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_array<std::int8_t>(sink, kCentroids, centroids.codes);
  write_array<float>(sink, kScales, centroids.scales);
  write_array<std::uint32_t>(sink, kBegins, begins);
  write_array<std::uint32_t>(sink, kMembers, places);

  if (coded) {
    const Residuals rest = residuals(vectors, centroids, assigned, threads);
    const CodedVectors differences{vectors.dim, rest.codes, rest.scales};
    const std::vector<float> codebook = train_codebook(differences, shape, threads);
    write_array<float>(sink, kCodebook, codebook);
    write_codes(sink, kCodes, differences, places, shape, codebook, rests, threads, stop);
  }

  std::vector<std::uint32_t> in_order(rounded_up(lists), kNone);
  std::iota(in_order.begin(), in_order.begin() + static_cast<std::ptrdiff_t>(lists), 0u);
  const CodedVectors coded_centroids{vectors.dim, centroids.codes, centroids.scales};
  const std::vector<float> list_codebook = train_codebook(coded_centroids, shape, threads);
  write_array<float>(sink, kListCodebook, list_codebook);
  write_codes(sink, kListCodes, coded_centroids, in_order, shape, list_codebook, {}, threads, stop);
}

bool IvfView::in(const SegmentView& view) { return view.size(kHeader) > 0; }

IvfView::IvfView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric)
    : nodes_(nodes),
      metric_(metric),
      shape_(ProductShape::of(dim, Rests::kSubspaces)),
      block_bytes_(shape_.block_bytes() + (metric == Metric::l2 ? Rests::kSubspaces * kFastScanBytes : 0)),
      codebook_(view, kCodebook),
      centroids_(view, kCentroids),
      scales_(view, kScales),
      list_codebook_(view, kListCodebook),
      list_codes_(view, kListCodes),
      begins_(view, kBegins),
      members_(view, kMembers),
      codes_(view, kCodes) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.lists == 0 || header.lists > kListsMax ||
      header.blocks > nodes + header.lists ||
      (header.subspaces != 0 && header.subspaces != shape_.subspaces) || header.width != shape_.width) {
    throw Error(Code::damaged,
                fmt::format("the header of inverted lists is wrong: layout {}, {} lists, {} "
                            "blocks, {} subspaces of {} dimensions",
                            header.layout, header.lists, header.blocks, header.subspaces, header.width));
  }
  lists_ = header.lists;
  product_codes_ = header.subspaces != 0;
  rest_least_ = header.rest_least;
  rest_step_ = header.rest_step;
  if (product_codes_) require_array<float>(view, kCodebook, shape_.codebook_size());
  require_array<std::int8_t>(view, kCentroids, lists_ * dim);
  require_array<float>(view, kScales, lists_);
  require_array<float>(view, kListCodebook, shape_.codebook_size());
  require_array<std::byte>(view, kListCodes, rounded_up(lists_) / kFastScanRows * shape_.block_bytes());
  require_array<std::uint32_t>(view, kBegins, lists_ + 1);
  require_array<std::uint32_t>(view, kMembers, header.blocks * kFastScanRows);
  if (product_codes_) require_array<std::byte>(view, kCodes, header.blocks * block_bytes_);
}

// About `wanted` lists or more, among them nearly all of the nearest, by their centroids' product codes.
std::vector<std::uint32_t> IvfView::near_lists(std::span<const float> query, std::size_t wanted) const {
  std::vector<std::uint32_t> lists;
  if (wanted * 2 >= lists_) {
    lists.resize(lists_);
    std::iota(lists.begin(), lists.end(), 0u);
    return lists;
  }
  auto& [smallest, tables, found] = scratch_of_lists();
  smallest.begin(wanted);
  found.clear();
  make_tables(query, shape_, metric_,
              {list_codebook_.array<float>(0, shape_.codebook_size()), shape_.codebook_size()}, tables);
  const FastScan scan = fast_scan_kernel(simd());
  const std::size_t blocks = (lists_ + kFastScanRows - 1) / kFastScanRows;
  const auto* const codes = list_codes_.array<std::uint8_t>(0, blocks * shape_.block_bytes());
  alignas(64) std::uint16_t sums[kFastScanRows];
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto below = static_cast<std::uint16_t>(std::min<std::uint32_t>(smallest.below(), UINT16_MAX));
    std::uint32_t near =
        scan(codes + b * shape_.block_bytes(), tables.values.data(), shape_.subspaces, below, sums);
    for (; near != 0; near &= near - 1) {
      const auto row = static_cast<std::size_t>(std::countr_zero(near));
      const auto list = static_cast<std::uint32_t>(b * kFastScanRows + row);
      if (list >= lists_ || sums[row] >= smallest.below()) continue;
      smallest.add(sums[row]);
      found.push_back({list, sums[row]});
    }
  }
  for (const Found& f : found) {
    if (f.sum < smallest.below()) lists.push_back(f.position);
  }
  return lists;
}

// The nearest lists, best first.
std::vector<IvfView::Probe> IvfView::nearest_lists(std::span<const float> query, std::size_t wanted) const {
  constexpr std::size_t kAhead = 4;
  wanted = std::clamp<std::size_t>(wanted, 1, lists_);
  const auto near = near_lists(query, wanted + wanted / 2);
  std::vector<std::int8_t> codes(query.size());
  const float scale = quantise(query, codes);
  const DotRows dot_rows = dot_rows_kernel(simd());
  std::vector<Probe> all(near.size());
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i + kAhead < near.size()) centroids_.prefetch(near[i + kAhead] * query.size(), query.size());
    std::int32_t sum = 0;
    dot_rows(codes.data(), centroids_.array<std::int8_t>(near[i] * query.size(), query.size()), 1,
             query.size(), &sum);
    all[i] = {static_cast<float>(sum) * (scale * *scales_.array<float>(near[i])) - half_square(near[i]),
              near[i]};
  }
  const auto better = [](const Probe& a, const Probe& b) {
    return a.score != b.score ? a.score > b.score : a.list < b.list;
  };
  std::ranges::sort(all, better);
  all.resize(std::min(all.size(), wanted));
  return all;
}

// What the metric takes off the product with a centroid.
float IvfView::half_square(std::uint32_t list) const {
  if (metric_ != Metric::l2) return 0;
  const std::size_t dim = shape_.dim;
  const auto* const codes = centroids_.array<std::int8_t>(list * dim, dim);
  float sum = 0;
  for (std::size_t d = 0; d < dim; ++d) sum += static_cast<float>(codes[d] * codes[d]);
  const float scale = *scales_.array<float>(list);
  return sum * scale * scale / 2;
}

void IvfView::look_through(const Probe& probe, std::uint32_t offset, const Acceptance& accept,
                           WalkStatistics& statistics) const {
  auto& [smallest, tables, found] = scratch();
  const FastScan scan = fast_scan_kernel(simd());
  alignas(64) std::uint16_t sums[kFastScanRows];
  const std::uint32_t first = *begins_.array<std::uint32_t>(probe.list);
  const std::uint32_t last = *begins_.array<std::uint32_t>(probe.list + 1);
  codes_.prefetch(first * block_bytes_, 4 * block_bytes_);
  for (std::uint32_t b = first; b < last && smallest.below() > offset; ++b) {
    const std::uint32_t below = std::min<std::uint32_t>(smallest.below() - offset, UINT16_MAX);
    const auto* const members = members_.array<std::uint32_t>(std::size_t{b} * kFastScanRows, kFastScanRows);
    std::uint32_t near =
        scan(codes_.array<std::uint8_t>(b * block_bytes_, block_bytes_), tables.values.data(),
             block_bytes_ / kFastScanBytes, static_cast<std::uint16_t>(below), sums);
    ++statistics.steps;
    for (; near != 0; near &= near - 1) {
      const auto row = static_cast<std::size_t>(std::countr_zero(near));
      const std::uint32_t node = members[row], sum = sums[row] + offset;
      if (node >= nodes_ || sum >= smallest.below() || !accept(node)) continue;
      smallest.add(sum);
      found.push_back({node, sum});
    }
  }
}

void IvfView::take_all(const Probe& probe, const Acceptance& accept, WalkStatistics& statistics) const {
  auto& found = scratch().found;
  const std::size_t first = *begins_.array<std::uint32_t>(probe.list) * kFastScanRows;
  const std::size_t last = *begins_.array<std::uint32_t>(probe.list + 1) * kFastScanRows;
  if (first >= last) return;
  const auto* const members = members_.array<std::uint32_t>(first, last - first);
  for (std::size_t i = 0; i < last - first; ++i) {
    if (members[i] < nodes_ && accept(members[i])) found.push_back({members[i], 0});
  }
  statistics.steps += (last - first) / kFastScanRows;
}

std::vector<Walked> IvfView::probe(std::span<const float> query, std::size_t pool, std::size_t probes,
                                   const Acceptance& accept, WalkStatistics* statistics) const {
  constexpr std::size_t kMore = 4;
  pool = std::max<std::size_t>(pool, 1);
  auto lists = nearest_lists(query, probes);
  auto& [smallest, tables, found] = scratch();
  smallest.begin(pool);
  found.clear();
  if (product_codes_) {
    const auto rests = Rests::values(rest_least_, rest_step_);
    make_tables(query, shape_, Metric::inner_product,
                {codebook_.array<float>(0, shape_.codebook_size()), shape_.codebook_size()}, tables,
                std::span(rests).first(metric_ == Metric::l2 ? rests.size() : 0));
  }
  // A vector's inner product is its centroid's and that of what it differs by; in steps of the tables,
  // less is nearer, and the best centroid counts 0.
  const float best = lists.front().score, step = tables.step > 0 ? tables.step : 1;
  std::vector<bool> looked_through(lists_);
  WalkStatistics counted;
  for (;;) {
    for (const Probe& probe : lists) {
      if (looked_through[probe.list]) continue;
      looked_through[probe.list] = true;
      const float behind = std::clamp((best - probe.score) / step, 0.0f, 180'000.0f);
      if (product_codes_)
        look_through(probe, static_cast<std::uint32_t>(std::lrint(behind)), accept, counted);
      else
        take_all(probe, accept, counted);
    }
    if (found.size() >= pool || lists.size() == lists_) break;
    lists = nearest_lists(query, kMore * lists.size());
  }
  if (statistics != nullptr) statistics->steps += counted.steps;
  std::vector<Walked> answer;
  for (const Found& f : found) {
    if (f.sum < smallest.below())
      answer.push_back({f.position, best + tables.offset - step * static_cast<float>(f.sum)});
  }
  return answer;
}

}  // namespace hasten
