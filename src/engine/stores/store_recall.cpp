#include "engine/stores/store_recall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/threads.hpp"
#include "engine/stores/remote_vectors.hpp"
#include "engine/tuning/recall_measured.hpp"

namespace hasten {
namespace {

constexpr double kEnough = 0.9995, kLittle = 0.001;
constexpr std::size_t kDepths[] = {10, 100};
// Of documents that a filter lets pass, and the questions that are asked under it: naming so many is slow.
constexpr std::size_t kDocuments = 2'000, kFilteredQuestions = 16;

/// Every tenth document, or as many as may be named, spread as widely.
DocumentSet spread(const SegmentStore::Reading& reading, std::size_t most) {
  const std::uint64_t all = reading.counts().documents;
  const std::uint64_t step = std::max<std::uint64_t>(10, all / std::max<std::size_t>(1, most) + 1);
  std::uint64_t i = 0;
  return documents_where(reading, [&](const DocumentRow&) { return i++ % step == 0; });
}

/// More candidates have brought nothing for a while: some servers search no further however many they give.
bool has_risen_enough(const std::vector<RecallPoint>& curve) {
  constexpr std::size_t kDoublings = 2;
  const std::size_t n = curve.size();
  return n > kDoublings && curve[n - 1].recall - curve[n - 1 - kDoublings].recall < kLittle;
}

/// A group's vectors there, and the exact twin: the full vectors here.
class Measuring {
 public:
  Measuring(KnowledgeBase& kb, const GroupSnapshot& group, const VectorCollection& there,
            const Matrix& questions, const std::stop_token& stop)
      : kb_(kb), group_(group), there_(there), questions_(questions), stop_(stop) {}

  /// For each of kDepths, by the number of candidates. @param allowed  null: all documents.
  std::array<std::vector<RecallPoint>, 2> curves(const DocumentSet* allowed) const {
    const std::size_t asked =
        allowed == nullptr ? questions_.rows : std::min(questions_.rows, kFilteredQuestions);
    const auto truth = nearest(asked, allowed);
    VectorRestriction restriction;
    restriction.candidates_only = true;
    std::vector<std::uint32_t> documents;
    if (allowed != nullptr) restriction.documents = documents = documents_of(*allowed);
    std::array<std::vector<RecallPoint>, 2> curves;
    for (std::size_t n = candidates_for(kDepths[0]); n <= kCandidatesMax; n *= 2) {
      const auto found = candidates(asked, n, restriction);
      bool enough = true;
      for (std::size_t depth = 0; depth < std::size(kDepths); ++depth) {
        const double before = curves[depth].empty() ? 0 : curves[depth].back().recall;
        curves[depth].push_back({n, std::max(before, share(truth, found, kDepths[depth]))});
        enough = enough && curves[depth].back().recall >= kEnough;
      }
      if (enough || has_risen_enough(curves[0])) break;
    }
    return curves;
  }

 private:
  using Lists = std::vector<std::vector<NodeNumber>>;

  std::span<const float> question(std::size_t i) const {
    return std::span(questions_.values).subspan(i * questions_.dim, questions_.dim);
  }

  Lists nearest(std::size_t asked, const DocumentSet* allowed) const {
    const auto full = kb_.store.vectors(group_.fingerprint());
    const auto inputs = flat_inputs(group_.remote);
    Lists lists(asked);
    for (std::size_t i = 0; i < asked; ++i) {
      if (stop_.stop_requested()) throw Error(Code::cancelled, "measuring recall was interrupted");
      VectorQuery query{.vector = question(i), .k = kDepths[1], .allowed = allowed, .exact = true};
      query.threads = thread_count(kb_.settings.threads);
      for (const Scored& hit : search_vectors(inputs, query, full).best) lists[i].push_back(hit.node);
    }
    return lists;
  }

  Lists candidates(std::size_t asked, std::size_t n, const VectorRestriction& restriction) const {
    Lists lists(asked);
    parallel_for(
        asked, thread_count(kb_.settings.threads),
        [&](std::size_t i) {
          for (const VectorHit& hit : kb_.remote->store().search(there_, question(i), n, restriction, stop_))
            lists[i].push_back(hit.node);
          std::ranges::sort(lists[i]);
        },
        stop_);
    return lists;
  }

  static double share(const Lists& truth, const Lists& found, std::size_t k) {
    std::size_t there = 0, wanted = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const auto best = std::span(truth[i]).first(std::min(k, truth[i].size()));
      wanted += best.size();
      for (const NodeNumber node : best) there += std::ranges::binary_search(found[i], node) ? 1U : 0U;
    }
    return wanted == 0 ? 1 : static_cast<double>(there) / static_cast<double>(wanted);
  }

  KnowledgeBase& kb_;
  const GroupSnapshot& group_;
  const VectorCollection& there_;
  const Matrix& questions_;
  const std::stop_token& stop_;
};

}  // namespace

void measure_store_recall(KnowledgeBase& kb, const SegmentStore::Reading& reading, const GroupSnapshot& group,
                          const std::function<Matrix()>& questions, const OnProgress& progress,
                          const std::stop_token& stop) {
  if (!kb.remote || kb.remote->store().exact() || group.remote.empty()) return;
  const auto target = kb.remote->target(kb.store, reading, group, stop);
  const std::string measured_as = kb.remote->measured_as(target.collection, group);
  if (kb.recall.find_store(reading, group, measured_as)) return;
  const Matrix vectors = questions();
  kb.remote->store().settle(target.collection, stop);
  const Measuring measuring(kb, group, target.collection, vectors, stop);
  const DocumentSet tenth = spread(reading, std::min(kDocuments, kb.remote->store().documents_max()));
  auto all = measuring.curves(nullptr), filtered = measuring.curves(&tenth);
  RecallMeasured measured{.curves = {}, .questions = vectors.rows, .files = measured_as};
  for (std::size_t depth = 0; depth < std::size(kDepths); ++depth) {
    measured.curves.push_back({kDepths[depth], std::move(all[depth]), std::move(filtered[depth])});
  }
  const double wanted = kb.settings.recall;
  if (progress && wanted < 1 && !measured.pool(kDepths[0], wanted, false)) {
    const std::string notice = fmt::format(
        "{} names {:.1f} % of the nearest passages at most: for a recall of {}, all are scored here instead",
        kb.remote->store().where(), 100 * measured.curves.front().all.back().recall, wanted);
    progress({"notice", 0, 0, {}, notice});
  }
  auto writing = kb.writable().write();
  writing->set_setting(store_recall_setting(group.row.id), to_text(measured));
  writing->commit();
}

}  // namespace hasten
