// The nearest cached questions: `hasten_question_index VECTORS.fbin QUESTIONS`, figures as JSON. The index
// holds QUESTIONS vectors: those of the file, then such as lie between them. It is asked for the neighbours
// of vectors as near to a held one as a reworded question is, and for those of vectors that are not in it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <random>
#include <span>
#include <vector>

#include "base/percentile.hpp"
#include "indexes/kernels.hpp"
#include "retrieval/question_index.hpp"

namespace {

using hasten::QuestionIndex;
using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

constexpr std::size_t kAsked = 1000, kChecked = 300, kNearest = 16;
constexpr double kNearDuplicate = 0.95;

struct Vectors {
  std::size_t dim = 0;
  std::vector<float> values;
  std::size_t size() const { return values.size() / dim; }
  std::span<const float> row(std::size_t i) const { return {values.data() + i * dim, dim}; }
};

Vectors read_fbin(const char* file) {
  std::ifstream in(file, std::ios::binary);
  std::uint32_t header[2] = {};
  in.read(reinterpret_cast<char*>(header), sizeof header);
  Vectors vectors{header[1], std::vector<float>(std::size_t{header[0]} * header[1])};
  in.read(reinterpret_cast<char*>(vectors.values.data()),
          static_cast<std::streamsize>(vectors.values.size() * sizeof(float)));
  if (!in || vectors.dim == 0) {
    fmt::print(stderr, "cannot read {}\n", file);
    std::exit(1);
  }
  return vectors;
}

/// A vector near the i-th: moved by a share of what two others differ in, which is how questions differ.
std::vector<float> moved(const Vectors& vectors, std::size_t i, float share, std::mt19937_64& random) {
  const auto a = vectors.row(i), b = vectors.row(random() % vectors.size()),
             c = vectors.row(random() % vectors.size());
  std::vector<float> result(vectors.dim);
  for (std::size_t d = 0; d < result.size(); ++d) result[d] = a[d] + share * (b[d] - c[d]);
  const auto length = static_cast<float>(std::sqrt(hasten::dot(result, result)));
  for (float& value : result) value /= length;
  return result;
}

struct Recall {
  std::size_t wanted = 0, found = 0;
  double share() const { return wanted == 0 ? 1 : static_cast<double>(found) / static_cast<double>(wanted); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: hasten_question_index VECTORS.fbin QUESTIONS\n");
    return 2;
  }
  const Vectors real = read_fbin(argv[1]);
  const std::size_t n = std::strtoul(argv[2], nullptr, 10);
  std::mt19937_64 random(1);
  Vectors held{real.dim, {}};
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<float> made = moved(real, i % real.size(), i < real.size() ? 0 : 0.6f, random);
    held.values.insert(held.values.end(), made.begin(), made.end());
  }
  QuestionIndex index(real.dim);
  std::vector<double> adding, removing;
  for (std::size_t i = 0; i < n; ++i) {
    const auto from = Clock::now();
    index.add(i, held.row(i));
    adding.push_back(us_since(from));
  }
  std::vector<double> searching;
  Recall first, near;
  double error = 0;
  for (std::size_t i = 0; i < kAsked; ++i) {
    const std::vector<float> asked = moved(held, random() % n, i % 2 == 0 ? 0.15f : 0.5f, random);
    const auto from = Clock::now();
    const auto answer = index.nearest(asked, kNearest);
    searching.push_back(us_since(from));
    if (i >= kChecked) continue;
    std::vector<std::pair<double, std::uint64_t>> truth;
    for (std::size_t j = 0; j < n; ++j) truth.emplace_back(-hasten::dot(held.row(j), asked), j);
    std::partial_sort(truth.begin(), truth.begin() + kNearest, truth.end());
    const auto has = [&](std::uint64_t id) {
      return std::ranges::find(answer, id, &QuestionIndex::Near::id) != answer.end();
    };
    if (-truth[0].first > kNearDuplicate) ++first.wanted, first.found += has(truth[0].second);
    for (std::size_t j = 0; j < kNearest / 2; ++j) {
      if (-truth[j].first > kNearDuplicate) ++near.wanted, near.found += has(truth[j].second);
    }
    for (const auto& [id, cosine] : answer) {
      error = std::max(error, std::abs(cosine - hasten::dot(held.row(id), asked)));
    }
  }
  const double bytes = static_cast<double>(index.bytes()) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; i += 2) {
    const auto from = Clock::now();
    index.remove(i);
    removing.push_back(us_since(from));
  }
  using hasten::percentile;
  fmt::print(
      R"({{"questions":{},"search_p50_us":{:.1f},"search_p99_us":{:.1f},"nearest_recall":{:.4f},)"
      R"("near_recall":{:.4f},"near_wanted":{},"cosine_error":{:.5f},"add_p50_us":{:.1f},"add_p99_us":{:.1f},)"
      R"("add_max_us":{:.0f},"remove_p50_us":{:.2f},"remove_max_us":{:.0f},"bytes":{:.0f}}})"
      "\n",
      n, percentile(searching, 0.5), percentile(searching, 0.99), first.share(), near.share(), near.wanted,
      error, percentile(adding, 0.5), percentile(adding, 0.99), percentile(adding, 1),
      percentile(removing, 0.5), percentile(removing, 1), bytes);
}
