#include "indexes/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/threads.hpp"
#include "hasten/error.hpp"
#include "indexes/graph_layout.hpp"
#include "indexes/graph_walk.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace graph_layout;

namespace {

constexpr std::uint32_t kNone = NeighbourGraph::kNone;
constexpr std::size_t kNodesPerSeed = 128;
constexpr std::size_t kSeedsMax = 4096;
constexpr std::size_t kBeam = 4;           // nodes asked of the disk at a time
constexpr std::size_t kPieceNodes = 4096;  // records made at a time

std::size_t rounded_up(std::size_t n) { return (n + kFastScanRows - 1) / kFastScanRows * kFastScanRows; }

// The entry, and nodes from everywhere: vectors are in the order of their documents, so evenly spaced
// ones are of many.
std::vector<std::uint32_t> choose_seeds(std::size_t nodes, std::uint32_t entry) {
  std::vector<std::uint32_t> seeds{entry};
  const std::size_t wanted = std::min({nodes, kSeedsMax, rounded_up(nodes / kNodesPerSeed + 1)});
  for (std::size_t i = 1; i < wanted; ++i) {
    const auto node = static_cast<std::uint32_t>(i * nodes / wanted);
    if (node != entry) seeds.push_back(node);
  }
  return seeds;
}

// Copies the codes of up to 32 nodes into a block.
void make_block(std::span<const std::uint32_t> nodes, std::span<const std::uint8_t> codes,
                std::size_t subspaces, std::span<std::uint8_t> block) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != kNone) put_codes(codes.subspan(nodes[i] * subspaces, subspaces), i, block);
  }
}

// Reused by the walks of a thread: what it holds is as large as the largest segment's bitmap.
struct Scratch {
  Frontier frontier;
  ProductTables tables;
  std::vector<std::byte> record;  // one that was read
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

}  // namespace

void write_graph(const CodedVectors& vectors, const NeighbourGraph& graph, bool on_disk, SegmentSink& sink,
                 std::size_t threads) {
  const ProductShape shape = ProductShape::of(vectors.dim);
  const std::size_t nodes = vectors.size();
  const std::vector<float> codebook = train_codebook(vectors, shape, threads);
  std::vector<std::uint8_t> codes(nodes * shape.subspaces);
  parallel_for(nodes / kPieceNodes + 1, threads, [&](std::size_t piece) {
    for (std::size_t i = piece * kPieceNodes; i < std::min(nodes, (piece + 1) * kPieceNodes); ++i) {
      encode(vectors, i, shape, codebook, std::span(codes).subspan(i * shape.subspaces, shape.subspaces));
    }
  });

  const std::vector<std::uint32_t> seeds = choose_seeds(nodes, graph.entry);
  const Header header{kLayout, graph.degree, seeds.size(), shape.subspaces, shape.width, on_disk};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_array<float>(sink, kCodebook, codebook);
  write_array<std::uint32_t>(sink, kSeeds, seeds);

  sink.begin(kSeedCodes);
  std::vector<std::uint8_t> block(shape.block_bytes());
  for (std::size_t i = 0; i < seeds.size(); i += kFastScanRows) {
    std::ranges::fill(block, std::uint8_t{0});
    const auto group = std::span(seeds).subspan(i, std::min(kFastScanRows, seeds.size() - i));
    make_block(group, codes, shape.subspaces, block);
    sink.write(std::as_bytes(std::span(block)));
  }

  sink.begin(kRecords);
  const std::size_t group = group_bytes(shape.block_bytes());
  const std::size_t record = record_bytes(graph.degree, shape.block_bytes());
  std::vector<std::uint8_t> records;
  for (std::size_t first = 0; first < nodes; first += kPieceNodes) {
    const std::size_t count = std::min(kPieceNodes, nodes - first);
    records.assign(count * record, 0);
    parallel_for(count, threads, [&](std::size_t i) {
      const auto neighbours = graph.neighbours(first + i);
      for (std::size_t g = 0; g * kFastScanRows < graph.degree; ++g) {
        const auto links = neighbours.subspan(g * kFastScanRows, kFastScanRows);
        const auto to = std::span(records).subspan(i * record + g * group, group);
        std::memcpy(to.data(), links.data(), links.size_bytes());
        make_block(links, codes, shape.subspaces, to.subspan(links.size_bytes()));
      }
    });
    sink.write(std::as_bytes(std::span(records)));
  }
}

bool GraphView::in(const SegmentView& view) { return view.size(kHeader) > 0; }

GraphView::GraphView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric)
    : nodes_(nodes),
      shape_(ProductShape::of(dim)),
      metric_(metric),
      codebook_(view, kCodebook),
      records_(view, kRecords),
      seed_nodes_(view, kSeeds),
      seed_codes_(view, kSeedCodes) {
  Header header{};  // of layout 1 it is shorter, and what it lacks is 0
  const auto bytes = view.bytes(kHeader, 0, std::min<std::uint64_t>(view.size(kHeader), sizeof header));
  if (!bytes.empty()) std::memcpy(&header, bytes.data(), bytes.size());
  if (header.layout == 0 || header.layout > kLayout || header.on_disk > 1 || header.degree == 0 ||
      header.degree % kFastScanRows != 0 || header.degree > 1024 || header.subspaces != shape_.subspaces ||
      header.width != shape_.width || header.seeds == 0 || header.seeds > nodes) {
    throw Error(Code::damaged,
                fmt::format("the header of a graph is wrong: layout {}, degree {}, {} "
                            "seeds, {} subspaces of {} dimensions",
                            header.layout, header.degree, header.seeds, header.subspaces, header.width));
  }
  degree_ = header.degree;
  on_disk_ = header.on_disk != 0;
  seeds_ = header.seeds;
  require_array<float>(view, kCodebook, shape_.codebook_size());
  require_array<std::uint32_t>(view, kSeeds, seeds_);
  require_array<std::byte>(view, kSeedCodes, rounded_up(seeds_) / kFastScanRows * shape_.block_bytes());
  require_array<std::byte>(view, kRecords, nodes * record_bytes(degree_, shape_.block_bytes()));
  records_.expect_scattered_reads();
}

// The nearest seed, and the one from which all can be reached.
void GraphView::enter(const ProductTables& tables, const Acceptance& accept, Frontier& frontier) const {
  const FastScan scan = fast_scan_kernel(simd());
  const std::size_t block = shape_.block_bytes();
  const auto* const codes = seed_codes_.array<std::uint8_t>(0, rounded_up(seeds_) / kFastScanRows * block);
  const auto* const nodes = seed_nodes_.array<std::uint32_t>(0, seeds_);
  alignas(64) std::uint16_t sums[kFastScanRows];
  std::uint16_t nearest = UINT16_MAX, entry = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < seeds_; i += kFastScanRows) {
    std::uint32_t nearer =
        scan(codes + i / kFastScanRows * block, tables.values.data(), shape_.subspaces, nearest, sums);
    if (i == 0) entry = sums[0];
    for (; nearer != 0; nearer &= nearer - 1) {
      const auto row = static_cast<std::size_t>(std::countr_zero(nearer));
      if (i + row >= seeds_ || sums[row] >= nearest) continue;
      nearest = sums[row];
      at = i + row;
    }
  }
  for (const auto& [seed, sum] : {std::pair{at, nearest}, std::pair{std::size_t{0}, entry}}) {
    const std::uint32_t node = nodes[seed];
    if (node >= nodes_ || frontier.seen(node)) continue;
    frontier.add(node, sum, accept(node));
  }
}

// Looks at the neighbours of the node whose record this is.
void GraphView::look_around(const std::uint8_t* record, FastScan scan, const ProductTables& tables,
                            const Acceptance& accept, Frontier& frontier) const {
  alignas(64) std::uint16_t sums[kFastScanRows];
  for (std::size_t g = 0; g < degree_; g += kFastScanRows) {
    const auto* const links = reinterpret_cast<const std::uint32_t*>(record);
    std::uint32_t near = scan(record + kFastScanRows * sizeof(std::uint32_t), tables.values.data(),
                              shape_.subspaces, frontier.below(), sums);
    for (; near != 0; near &= near - 1) {
      const auto row = static_cast<std::size_t>(std::countr_zero(near));
      const std::uint32_t node = links[row];
      if (node >= nodes_ || frontier.seen(node)) continue;
      frontier.add(node, sums[row], accept(node));
    }
    record += group_bytes(shape_.block_bytes());
  }
}

std::size_t GraphView::walk_in_memory(const ProductTables& tables, std::size_t steps_max,
                                      const Acceptance& accept, Frontier& frontier) const {
  const FastScan scan = fast_scan_kernel(simd());
  const std::size_t bytes = record_bytes(degree_, shape_.block_bytes());
  std::vector<std::byte>& buffer = scratch().record;
  buffer.resize(bytes);
  std::uint32_t asked_for = kNone;
  const auto ask_for_next = [&] {
    const auto* const next = frontier.peek();
    if (next == nullptr || next->position == asked_for) return;
    asked_for = next->position;
    records_.prefetch(asked_for * bytes, bytes);
  };
  std::size_t steps = 0;
  for (const Frontier::Met* met; steps < steps_max && (met = frontier.pop()) != nullptr; ++steps) {
    const std::byte* const record = records_.at_or_read(met->position * bytes, bytes, buffer);
    ask_for_next();
    look_around(reinterpret_cast<const std::uint8_t*>(record), scan, tables, accept, frontier);
    ask_for_next();
  }
  return steps;
}

// Several nodes at a time, so that the disk fetches their records side by side.
std::size_t GraphView::walk_on_disk(const ProductTables& tables, std::size_t steps_max,
                                    const Acceptance& accept, Frontier& frontier) const {
  const FastScan scan = fast_scan_kernel(simd());
  const std::size_t bytes = record_bytes(degree_, shape_.block_bytes());
  std::vector<std::uint32_t> record((bytes + 3) / 4), beam;
  std::size_t steps = 0;
  do {
    beam.clear();
    while (beam.size() < kBeam && steps + beam.size() < steps_max) {
      const auto* const met = frontier.pop();
      if (met == nullptr) break;
      beam.push_back(met->position);
      records_.fetch(met->position * bytes, bytes);
    }
    for (const std::uint32_t position : beam) {
      records_.read(position * bytes, std::as_writable_bytes(std::span(record)).first(bytes));
      look_around(reinterpret_cast<const std::uint8_t*>(record.data()), scan, tables, accept, frontier);
    }
    steps += beam.size();
  } while (!beam.empty());
  return steps;
}

std::vector<Walked> GraphView::walk(std::span<const float> query, std::size_t pool, std::size_t candidates,
                                    std::size_t steps_max, const Acceptance& accept,
                                    WalkStatistics* statistics) const {
  auto& [frontier, tables, record] = scratch();
  make_tables(query, shape_, metric_,
              {codebook_.array<float>(0, shape_.codebook_size()), shape_.codebook_size()}, tables);
  pool = std::max<std::size_t>(pool, 1);
  frontier.begin(nodes_, pool, std::max(pool, candidates), accept.selectivity());
  enter(tables, accept, frontier);

  const std::size_t steps = on_disk_ ? walk_on_disk(tables, steps_max, accept, frontier)
                                     : walk_in_memory(tables, steps_max, accept, frontier);
  if (statistics != nullptr) statistics->steps += steps;

  std::vector<Walked> found;
  for (const auto& met : frontier.met()) {
    if (!met.accepted || met.sum >= frontier.below()) continue;
    found.push_back({met.position, tables.offset - tables.step * static_cast<float>(met.sum)});
  }
  return found;
}

}  // namespace hasten
