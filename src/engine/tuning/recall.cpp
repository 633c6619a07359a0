#include "engine/tuning/recall.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "engine/node_rows.hpp"
#include "engine/stores/store_recall.hpp"
#include "hasten/error.hpp"
#include "text/sentences.hpp"

namespace hasten {
namespace {

constexpr std::size_t kQuestions = 64;
constexpr std::size_t kQuestionBytes = 160;  // as long as questions are
constexpr std::size_t kDepths[] = {10, 100};
constexpr std::size_t kTenth = 10;

/// What a filter lets pass may have nothing to do with a question, or lie in one place, as what is in one
/// folder is mostly of one subject: every tenth document, and a tenth of them that came one after the other.
std::vector<DocumentSet> tenths(const SegmentStore::Reading& reading) {
  const std::uint64_t all = reading.counts().documents;
  std::uint64_t i = 0, j = 0;
  return {documents_where(reading, [&](const DocumentRow&) { return i++ % kTenth == 0; }),
          documents_where(reading, [&](const DocumentRow&) { return j++ * kTenth / all == kTenth / 2; })};
}

/// Recall under the worse of two filters. Both begin with the same pools.
std::vector<RecallPoint> lower_of(std::vector<RecallPoint> a, std::vector<RecallPoint> b) {
  if (a.size() < b.size()) std::swap(a, b);
  for (std::size_t i = 0; i < a.size() && !b.empty(); ++i) {
    a[i].recall = std::min(a[i].recall, b[std::min(i, b.size() - 1)].recall);
  }
  return a;
}

}  // namespace

std::vector<std::string> make_questions(const SegmentStore::Reading& reading, const GroupSnapshot& group,
                                        std::size_t wanted) {
  std::vector<NodeNumber> numbers;
  std::size_t nodes = 0;
  for (const SegmentPart* part : group.vectors()) nodes += part->open->flat->size();
  wanted = std::min(wanted, nodes);
  std::size_t passed = 0, next = 0;
  for (const SegmentPart* part : group.vectors()) {
    const std::size_t size = part->open->flat->size();
    for (; next < wanted && next * nodes / wanted < passed + size; ++next) {
      numbers.push_back(part->open->flat->node(next * nodes / wanted - passed));
    }
    passed += size;
  }
  std::vector<std::string> questions;
  const std::vector<NodeRow> rows = reading.nodes(numbers);
  std::vector<const NodeRow*> chosen;
  for (const NodeRow& row : rows) chosen.push_back(&row);
  for (const std::string& text : texts_of(reading, chosen)) {
    const auto found = sentences(text);
    if (found.empty()) continue;
    const Span middle = found[found.size() / 2];
    const std::size_t end = middle.from + std::min<std::size_t>(middle.size(), kQuestionBytes);
    questions.push_back(text.substr(middle.from, utf8::floor_border(text, end) - middle.from));
  }
  return questions;
}

namespace {

/// Of a group's own texts, about kQuestions of them.
Matrix question_vectors(KnowledgeBase& kb, const SegmentStore::Reading& reading, const GroupSnapshot& group,
                        const OnProgress& progress, const std::stop_token& stop) {
  if (progress) progress({"measure recall", 0, 0, {}, {}});
  const auto questions = make_questions(reading, group, kQuestions);
  const std::vector<std::string_view> texts(questions.begin(), questions.end());
  const auto embedder = kb.models.embedder(kb.embedder_name(reading), progress);
  return embedder->embed(texts, Role::query, stop);
}

/// What a store that is away cannot be asked is measured after the next ingest.
void measure_store(KnowledgeBase& kb, const SegmentStore::Reading& reading, const GroupSnapshot& group,
                   const OnProgress& progress, const std::stop_token& stop) {
  const auto questions = [&] { return question_vectors(kb, reading, group, progress, stop); };
  try {
    measure_store_recall(kb, reading, group, questions, progress, stop);
  } catch (const Error& error) {
    if (error.code() != Code::unavailable && error.code() != Code::timeout) throw;
    if (progress) progress({"notice", 0, 0, {}, fmt::format("recall was not measured: {}", error.what())});
  }
}

}  // namespace

void calibrate_recall(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop) {
  const auto [reading, snapshot] = kb.newest();
  for (const GroupSnapshot& group : snapshot->groups) {
    measure_store(kb, *reading, group, progress, stop);
    const std::string files = indexed_files(group);
    if (files.empty() || kb.recall.find(*reading, group)) continue;
    const Matrix vectors = question_vectors(kb, *reading, group, progress, stop);
    const std::string fingerprint = group.flat.front().row.signature;
    const auto full = kb.store.vectors(fingerprint);
    const std::vector<DocumentSet> filters = tenths(*reading);
    RecallMeasured measured{.curves = {}, .questions = vectors.rows, .files = files};
    for (const std::size_t k : kDepths) {
      const auto measure = [&](const DocumentSet* allowed) {
        return measure_recall(group.flat_inputs(), vectors.values, vectors.dim, k, allowed, full, stop);
      };
      const auto filtered = lower_of(measure(&filters[0]), measure(&filters[1]));
      measured.curves.push_back({.k = k, .all = measure(nullptr), .filtered = filtered});
    }
    auto writing = kb.writable().write();
    writing->set_setting(recall_setting(group.row.id), to_text(measured));
    writing->commit();
  }
}

}  // namespace hasten
