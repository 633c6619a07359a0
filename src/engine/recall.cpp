#include "engine/recall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "text/sentences.hpp"

namespace hasten {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kQuestions = 64;
constexpr std::size_t kQuestionBytes = 160;  // as long as questions are
constexpr std::size_t kDepths[] = {10, 100};
constexpr std::size_t kTenth = 10;

std::string setting_name(std::uint32_t group) { return fmt::format("recall.{}", group); }

/// The files of the group's graphs, lists and codes: what was measured holds for them alone.
std::string graphs_of(const GroupSnapshot& group) {
  std::string files;
  for (const SegmentPart& part : group.flat) {
    if (!part.open->flat->has_index()) continue;
    files += part.row.file;
    files += '\n';
  }
  return files;
}

Json to_json(const std::vector<RecallPoint>& curve) {
  Json points = Json::array();
  for (const RecallPoint& point : curve) points.push_back({point.pool, point.recall});
  return points;
}

std::vector<RecallPoint> curve_from(const Json& points) {
  std::vector<RecallPoint> curve;
  for (const Json& point : points)
    curve.push_back({point.at(0).get<std::size_t>(), point.at(1).get<double>()});
  return curve;
}

/// What a filter lets pass may have nothing to do with a question, or lie in one place, as what is in one
/// folder is mostly of one subject: every tenth document, and a tenth of them that came one after the other.
std::vector<DocumentSet> tenths(const LocalStore::Reading& reading) {
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

std::vector<std::string> make_questions(const LocalStore::Reading& reading, const GroupSnapshot& group,
                                        std::size_t wanted) {
  std::vector<NodeNumber> numbers;
  std::size_t nodes = 0;
  for (const SegmentPart& part : group.flat) nodes += part.open->flat->size();
  wanted = std::min(wanted, nodes);
  std::size_t passed = 0, next = 0;
  for (const SegmentPart& part : group.flat) {
    const std::size_t size = part.open->flat->size();
    for (; next < wanted && next * nodes / wanted < passed + size; ++next) {
      numbers.push_back(part.open->flat->node(next * nodes / wanted - passed));
    }
    passed += size;
  }
  std::vector<std::string> questions;
  for (const NodeRow& row : reading.nodes(numbers)) {
    const std::string text = text_of(reading, row);
    const auto found = sentences(text);
    if (found.empty()) continue;
    const Span middle = found[found.size() / 2];
    const std::size_t end = middle.from + std::min<std::size_t>(middle.size(), kQuestionBytes);
    questions.push_back(text.substr(middle.from, utf8::floor_border(text, end) - middle.from));
  }
  return questions;
}

std::optional<std::size_t> RecallMeasured::pool(std::size_t k, double recall, bool filtered) const {
  for (const Curves& c : curves) {
    if (k > c.k && &c != &curves.back()) continue;
    const auto found = pool_for(filtered ? c.filtered : c.all, recall);
    if (!found) return std::nullopt;
    return k <= c.k ? *found : *found * k / c.k;  // deeper than was measured: in proportion
  }
  return std::nullopt;
}

void calibrate_recall(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop) {
  const auto [reading, snapshot] = kb.newest();
  for (const GroupSnapshot& group : snapshot->groups) {
    const std::string graphs = graphs_of(group);
    const auto known = reading.setting(setting_name(group.row.id));
    if (graphs.empty() || (known && Json::parse(*known).value("graphs", "") == graphs)) continue;
    if (progress) progress({"measure recall", 0, 0, {}, {}});
    const auto questions = make_questions(reading, group, kQuestions);
    const std::vector<std::string_view> texts(questions.begin(), questions.end());
    const auto embedder = kb.models.embedder(kb.embedder_name(reading), progress);
    const Matrix vectors = embedder->embed(texts, Role::query, stop);
    const std::string fingerprint = group.flat.front().row.signature;
    const auto full = [&](std::uint64_t row) { return kb.store.vector(fingerprint, row); };
    const std::vector<DocumentSet> filters = tenths(reading);
    Json measured = {{"graphs", graphs}, {"questions", vectors.rows}, {"curves", Json::array()}};
    for (const std::size_t k : kDepths) {
      const auto measure = [&](const DocumentSet* allowed) {
        return measure_recall(group.flat_inputs(), vectors.values, vectors.dim, k, allowed, full, stop);
      };
      const auto filtered = lower_of(measure(&filters[0]), measure(&filters[1]));
      measured["curves"].push_back(
          {{"k", k}, {"all", to_json(measure(nullptr))}, {"filtered", to_json(filtered)}});
    }
    auto writing = kb.writable().write();
    writing.set_setting(setting_name(group.row.id), measured.dump());
    writing.commit();
  }
}

std::optional<RecallMeasured> recall_of(const LocalStore::Reading& reading, const GroupSnapshot& group) {
  const auto stored = reading.setting(setting_name(group.row.id));
  if (!stored) return std::nullopt;
  try {
    const Json measured = Json::parse(*stored);
    if (measured.value("graphs", "") != graphs_of(group)) return std::nullopt;
    RecallMeasured recall;
    recall.questions = measured.at("questions").get<std::size_t>();
    for (const Json& curves : measured.at("curves")) {
      recall.curves.push_back({curves.at("k").get<std::size_t>(), curve_from(curves.at("all")),
                               curve_from(curves.at("filtered"))});
    }
    return recall;
  } catch (const Json::exception& error) {
    throw Error(Code::damaged, fmt::format("what was measured of recall cannot be read: {}", error.what()));
  }
}

}  // namespace hasten
