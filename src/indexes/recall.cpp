#include "indexes/recall.hpp"

#include <algorithm>

#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr double kEnough = 0.9995;
constexpr std::size_t kPoolMin = 8;
constexpr std::size_t kPoolMax = 8192;

bool any_index(std::span<const VectorInput> segments) {
  return std::ranges::any_of(segments, [](const VectorInput& s) { return s.segment->has_index(); });
}

}  // namespace

std::vector<std::size_t> recall_pools(std::size_t k) {
  std::vector<std::size_t> pools;
  for (std::size_t pool = std::max<std::size_t>(kPoolMin, k / 4); pool <= kPoolMax; pool += pool / 2 + 1) {
    pools.push_back(pool);
  }
  return pools;
}

std::vector<RecallPoint> measure_recall(std::span<const VectorInput> segments,
                                        std::span<const float> questions, std::size_t dim, std::size_t k,
                                        const DocumentSet* allowed,
                                        const std::function<std::span<const float>(std::uint64_t)>& full,
                                        std::stop_token stop) {
  if (!any_index(segments)) return {{k, 1}};
  const auto ask = [&](std::size_t i, std::size_t pool) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "measuring recall was interrupted");
    VectorQuery query;
    query.vector = questions.subspan(i * dim, dim);
    query.k = k;
    query.allowed = allowed;
    query.pool = query.probes = pool;
    query.exact = pool == 0;
    return search_vectors(segments, query, full);
  };
  const std::size_t asked = questions.size() / dim;
  std::vector<std::vector<Scored>> truth;
  for (std::size_t i = 0; i < asked; ++i) truth.push_back(ask(i, 0).best);

  std::vector<RecallPoint> curve;
  for (const std::size_t pool : recall_pools(k)) {
    std::size_t found = 0, wanted = 0;
    bool walked = false;
    for (std::size_t i = 0; i < asked; ++i) {
      const VectorAnswer answer = ask(i, pool);
      walked = walked || std::ranges::any_of(answer.plans, [](const auto& plan) { return plan.steps > 0; });
      for (const Scored& hit : answer.best) {
        found += static_cast<std::size_t>(std::ranges::count(truth[i], hit.node, &Scored::node));
      }
      wanted += truth[i].size();
    }
    const double recall = wanted == 0 ? 1 : static_cast<double>(found) / static_cast<double>(wanted);
    curve.push_back({pool, curve.empty() ? recall : std::max(recall, curve.back().recall)});
    if (recall >= kEnough || !walked) break;
  }
  return curve;
}

std::optional<std::size_t> pool_for(std::span<const RecallPoint> curve, double recall) {
  const auto enough = std::ranges::find_if(curve, [&](const auto& point) { return point.recall >= recall; });
  if (enough == curve.end()) return std::nullopt;
  return enough->pool;
}

}  // namespace hasten
