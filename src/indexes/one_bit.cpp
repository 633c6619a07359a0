#include "indexes/one_bit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "hasten/error.hpp"
#include "indexes/one_bit_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace one_bit_layout;

namespace {

constexpr std::size_t kDimMax = 1024;  // the sums of a fast scan are of 256 subspaces at most
constexpr std::size_t kSigns = 4;      // of a subspace
constexpr std::size_t kPiece = 256;    // blocks made at a time

ProductShape shape_of(std::size_t dim) { return {dim, kSigns, ((dim + kSigns - 1) / kSigns + 3) / 4 * 4}; }

std::size_t blocks_of(std::size_t nodes) { return (nodes + kFastScanRows - 1) / kFastScanRows; }

// Code c of every subspace stands for the signs of its bits: 1 is plus.
std::vector<float> sign_codebook(const ProductShape& shape) {
  std::vector<float> codebook;
  for (std::size_t s = 0; s < shape.subspaces; ++s) {
    for (std::size_t d = 0; d < kSigns; ++d) {
      for (std::size_t c = 0; c < ProductShape::kCodes; ++c)
        codebook.push_back((c >> d & 1) != 0 ? 1.0f : -1.0f);
    }
  }
  return codebook;
}

std::vector<float> mean_of(const CodedVectors& vectors) {
  std::vector<double> sums(vectors.dim);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const double scale = static_cast<double>(vectors.scales[i]);
    for (std::size_t d = 0; d < vectors.dim; ++d) sums[d] += vectors.row(i)[d] * scale;
  }
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(vectors.size())));
  return mean;
}

// Codes one vector. @return its factor: the product of what it differs by with x is about factor * (signs *
// x).
float encode_signs(const CodedVectors& vectors, std::size_t i, std::span<const float> centre,
                   const Rotation& rotation, std::span<float> rest, std::span<std::uint8_t> codes) {
  for (std::size_t d = 0; d < vectors.dim; ++d) {
    rest[d] = static_cast<float>(vectors.row(i)[d]) * vectors.scales[i] - centre[d];
  }
  rotation.apply(rest.data());
  std::ranges::fill(codes, std::uint8_t{0});
  float square = 0, magnitude = 0;
  for (std::size_t d = 0; d < vectors.dim; ++d) {
    if (rest[d] > 0) codes[d / kSigns] = static_cast<std::uint8_t>(codes[d / kSigns] | 1 << d % kSigns);
    square += rest[d] * rest[d];
    magnitude += std::abs(rest[d]);
  }
  return magnitude > 0 ? square / magnitude : 0;
}

struct Estimated {
  float estimate;
  std::uint32_t position;
};

bool better(const Estimated& a, const Estimated& b) {
  return a.estimate != b.estimate ? a.estimate > b.estimate : a.position < b.position;
}

// The best of what was seen: twice as many are kept before the worse half goes.
class Best {
 public:
  explicit Best(std::size_t wanted) : wanted_(std::max<std::size_t>(wanted, 1)) {
    kept_.reserve(2 * wanted_);
  }
  float border() const noexcept { return border_; }
  void add(const Estimated& estimated) {
    kept_.push_back(estimated);
    if (kept_.size() == 2 * wanted_) cut();
  }
  std::vector<Walked> take() {
    if (kept_.size() > wanted_) cut();
    std::vector<Walked> found;
    for (const Estimated& estimated : kept_) found.push_back({estimated.position, estimated.estimate});
    return found;
  }

 private:
  void cut() {
    std::ranges::nth_element(kept_, kept_.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1, better);
    kept_.resize(wanted_);
    border_ = kept_.back().estimate;
  }

  std::size_t wanted_;
  float border_ = -INFINITY;
  std::vector<Estimated> kept_;
};

}  // namespace

void write_one_bit(const CodedVectors& vectors, const OneBitParameters&, SegmentSink& sink,
                   std::size_t threads, std::stop_token stop) {
  if (vectors.dim > kDimMax) {
    throw Error(Code::unsupported,
                fmt::format("1-bit codes are of at most {} dimensions, these vectors have {}; "
                            "take a graph or ivf_pq",
                            kDimMax, vectors.dim));
  }
  const ProductShape shape = shape_of(vectors.dim);
  const Rotation rotation(vectors.dim);
  const std::vector<float> centre = mean_of(vectors);
  const Header header{kLayout, shape.subspaces};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_array<float>(sink, kCentre, centre);

  std::vector<float> factors(vectors.size());
  const std::size_t blocks = blocks_of(vectors.size());
  std::vector<std::uint8_t> bytes(blocks * shape.block_bytes());
  parallel_for(
      blocks / kPiece + 1, threads,
      [&](std::size_t piece) {
        std::vector<float> rest(vectors.dim);
        std::vector<std::uint8_t> codes(shape.subspaces);
        const std::size_t last = std::min(vectors.size(), (piece + 1) * kPiece * kFastScanRows);
        for (std::size_t i = piece * kPiece * kFastScanRows; i < last; ++i) {
          factors[i] = encode_signs(vectors, i, centre, rotation, rest, codes);
          put_codes(codes, i % kFastScanRows,
                    std::span(bytes).subspan(i / kFastScanRows * shape.block_bytes(), shape.block_bytes()));
        }
      },
      std::move(stop));
  write_array<float>(sink, kFactors, factors);
  write_array<std::uint8_t>(sink, kCodes, bytes);
}

bool OneBitView::in(const SegmentView& view) { return view.size(kHeader) > 0; }

OneBitView::OneBitView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric)
    : nodes_(nodes),
      metric_(metric),
      shape_(shape_of(std::min(dim, kDimMax))),
      rotation_(std::min(dim, kDimMax)),
      centre_(view, kCentre),
      factors_(view, kFactors),
      codes_(view, kCodes) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.subspaces != shape_.subspaces || dim > kDimMax) {
    throw Error(Code::damaged,
                fmt::format("the header of 1-bit codes is wrong: layout {}, {} subspaces for {} "
                            "dimensions",
                            header.layout, header.subspaces, dim));
  }
  require_array<float>(view, kCentre, dim);
  require_array<float>(view, kFactors, nodes);
  require_array<std::byte>(view, kCodes, blocks_of(nodes) * shape_.block_bytes());
}

std::vector<Walked> OneBitView::scan(std::span<const float> query, std::size_t pool, const Acceptance& accept,
                                     const Section& squares, WalkStatistics* statistics) const {
  const float base = static_cast<float>(dot(query, {centre_.array<float>(0, query.size()), query.size()}));
  std::vector<float> rotated(query.begin(), query.end());
  rotation_.apply(rotated.data());
  ProductTables tables;
  make_tables(rotated, shape_, Metric::inner_product, sign_codebook(shape_), tables);
  const FastScan fast_scan = fast_scan_kernel(simd());
  Best best(pool);
  alignas(64) std::uint16_t sums[kFastScanRows];
  for (std::size_t b = 0; b < blocks_of(nodes_); ++b) {
    const std::size_t first = b * kFastScanRows, rows = std::min(kFastScanRows, nodes_ - first);
    fast_scan(codes_.array<std::uint8_t>(b * shape_.block_bytes(), shape_.block_bytes()),
              tables.values.data(), shape_.subspaces, UINT16_MAX, sums);
    const auto* const factors = factors_.array<float>(first, rows);
    const auto* const lengths = metric_ == Metric::l2 ? squares.array<float>(first, rows) : nullptr;
    for (std::size_t i = 0; i < rows; ++i) {
      float estimate = base + factors[i] * (tables.offset - tables.step * static_cast<float>(sums[i]));
      if (lengths != nullptr) estimate -= lengths[i] / 2;
      const auto position = static_cast<std::uint32_t>(first + i);
      if (estimate > best.border() && accept(position)) best.add({estimate, position});
    }
  }
  if (statistics != nullptr) statistics->steps += blocks_of(nodes_);
  return best.take();
}

}  // namespace hasten
