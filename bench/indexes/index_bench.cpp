// Times one search of each index over made-up nodes: `index_bench [nodes] [dim]`. The answers are
// checked against brute force, so that a fast wrong one fails.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <vector>

#include "base/cpu.hpp"
#include "indexes/bm25.hpp"
#include "indexes/flat.hpp"
#include "indexes/kernels.hpp"
#include "segments/segment_file.hpp"

namespace {

using namespace hasten;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 50;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class Function>
double median_ms(Function&& function) {
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = Clock::now();
    function(i);
    times.push_back(ms_since(start));
  }
  std::ranges::nth_element(times, times.begin() + kRounds / 2);
  return times[kRounds / 2];
}

std::vector<float> random_unit(std::mt19937_64& random, std::size_t dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(dim);
  for (float& value : vector) value = normal(random);
  const auto norm = static_cast<float>(std::sqrt(dot(vector, vector)));
  for (float& value : vector) value /= norm;
  return vector;
}

template <class Builder>
std::unique_ptr<SegmentFile> write_segment(const Builder& builder, const char* kind) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("hasten-bench-{}", kind);
  const auto start = Clock::now();
  SegmentFileWriter writer(path, kind);
  builder.write(writer);
  const auto bytes = writer.finish();
  fmt::print("{}: written in {:.0f} ms, {:.1f} MB\n", kind, ms_since(start),
             static_cast<double>(bytes) / 1e6);
  auto file = std::make_unique<SegmentFile>(path, kind);
  std::filesystem::remove(path);  // the mapping stays
  return file;
}

bool bench_flat(std::size_t n, std::size_t dim) {
  std::mt19937_64 random(1);
  std::vector<std::vector<float>> vectors;
  FlatBuilder builder(dim);
  for (std::size_t i = 0; i < n; ++i) {
    vectors.push_back(random_unit(random, dim));
    builder.add({i, static_cast<std::uint32_t>(i / 10), i}, vectors.back());
  }
  const auto file = write_segment(builder, "flat");
  const FlatSegment segment(*file);
  const FlatInput input{&segment, {}};
  const auto full = [&](std::uint64_t row) { return std::span<const float>(vectors[row]); };
  const std::function<bool(std::uint32_t)> tenth = [](std::uint32_t d) { return d % 10 == 0; };
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < kRounds; ++i) queries.push_back(random_unit(random, dim));

  std::size_t right = 0;
  const auto first = Clock::now();
  search_flat({&input, 1}, queries[0], 10, full, nullptr);
  const double first_ms = ms_since(first);
  for (const auto& query : queries) {
    std::vector<Scored> exact;
    for (std::size_t i = 0; i < n; ++i) exact.push_back({i, dot(query, vectors[i])});
    std::ranges::partial_sort(exact, exact.begin() + 10, std::ranges::greater(), &Scored::score);
    const auto got = search_flat({&input, 1}, query, 10, full, nullptr);
    for (const Scored& hit : got) {
      right += std::any_of(exact.begin(), exact.begin() + 10,
                           [&](const Scored& s) { return s.node == hit.node; });
    }
  }
  ScoreMoments moments;
  const double one = median_ms([&](int i) {
    search_flat({&input, 1}, queries[i], 10, full, nullptr);
  });
  const double two = median_ms([&](int i) {
    search_flat({&input, 1}, queries[i], 10, full, nullptr, 2);
  });
  const double seen = median_ms([&](int i) {
    search_flat({&input, 1}, queries[i], 10, full, nullptr, 1, &moments);
  });
  const double filtered = median_ms([&](int i) {
    search_flat({&input, 1}, queries[i], 10, full, &tenth);
  });
  const double recall = static_cast<double>(right) / (10.0 * kRounds);
  fmt::print(
      "flat {} x {} ({}): first {:.2f} ms, 1 thread {:.3f} ms, 2 threads {:.3f} ms, with moments "
      "{:.3f} ms, a tenth allowed {:.3f} ms; recall@10 {:.4f}\n",
      n, dim, to_string(simd()), first_ms, one, two, seen, filtered, recall);
  return recall >= 0.999;
}

bool bench_words(std::size_t n) {
  std::mt19937_64 random(2);
  std::vector<double> weights;  // Zipf
  for (int rank = 1; rank <= 50000; ++rank) weights.push_back(1.0 / rank);
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  std::vector<std::string> names;
  for (int i = 0; i < 50000; ++i) names.push_back(fmt::format("word{}", i));
  Bm25Builder builder;
  Bm25Statistics statistics;
  double add_ms = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<std::string_view> terms;
    for (std::size_t j = 50 + random() % 100; j > 0; --j) terms.push_back(names[zipf(random)]);
    const auto start = Clock::now();
    builder.add(i, static_cast<std::uint32_t>(i / 10), terms);
    add_ms += ms_since(start);
    statistics.total_length += terms.size();
  }
  statistics.nodes = n;
  fmt::print("words: {} nodes, {} terms added in {:.0f} ms, {:.0f} MB held\n", n,
             statistics.total_length, add_ms, static_cast<double>(builder.bytes()) / 1e6);
  const auto file = write_segment(builder, "words");
  const Bm25Segment segment(*file);
  const std::vector<std::uint64_t> some(n / 64 + 1, 0x1000000000000001);
  const Bm25Input input{&segment, {}}, deleted{&segment, Tombstones(some)};
  for (int common : {0, 20}) {  // questions of any words; of words outside the most frequent
    std::vector<std::vector<std::string>> queries(kRounds);
    for (auto& query : queries) {
      while (query.size() < 10) {
        const int word = zipf(random);
        if (word >= common) query.push_back(names[word]);
      }
    }
    const double plain = median_ms([&](int i) {
      search_bm25({&input, 1}, queries[i], statistics, {}, 10, nullptr);
    });
    const double holes = median_ms([&](int i) {
      search_bm25({&deleted, 1}, queries[i], statistics, {}, 10, nullptr);
    });
    fmt::print("words, 10 terms past the {} commonest: {:.3f} ms, with tombstones {:.3f} ms\n",
               common, plain, holes);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t n = argc > 1 ? std::stoul(argv[1]) : 60000;
  const std::size_t dim = argc > 2 ? std::stoul(argv[2]) : 384;
  const bool right = bench_flat(n, dim) && bench_words(n);
  return right ? 0 : 1;
}
