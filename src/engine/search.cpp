#include "engine/search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/threads.hpp"
#include "engine/recall.hpp"
#include "engine/rerankers.hpp"
#include "engine/scan.hpp"
#include "engine/segment_writing.hpp"
#include "hasten/error.hpp"
#include "retrieval/fuse.hpp"
#include "text/word_query.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr std::size_t kFusedDepth = 100;  // how deep each list goes into the fusion
constexpr std::size_t kConditionedDepth = 1000;  // how many of the nearest are looked through for words

std::vector<std::string> term_texts(std::string_view query) {
  std::vector<std::string> texts;
  for (Term& term : terms(query)) texts.push_back(std::move(term.text));
  return texts;
}

/// One search over one snapshot.
class Search {
 public:
  Search(KnowledgeBase& kb, std::string_view query, const SearchOptions& options, Trace* trace,
         std::stop_token stop)
      : kb_(kb),
        query_(query),
        options_(options),
        trace_(trace),
        stop_(std::move(stop)),
        plan_(rerank_plan(kb, options)),
        reading_(kb.store.read()) {}

  Found run() {
    open();
    filter();
    cut_query();
    std::vector<std::vector<Ranked>> lists;
    if (options_.mode != Mode::vector) lists.push_back(by_words());
    if (options_.mode != Mode::bm25 && has_vectors_) lists.push_back(by_meaning());
    std::vector<Ranked> ranked;
    {
      const Trace::Span span(trace_, "search.fuse");
      ranked = lists.size() == 1 ? std::move(lists.front()) : fuse(lists);
    }
    ranked.resize(std::min(ranked.size(), wanted()));
    load_hits(ranked);
    rerank_hits();
    judge();
    return std::move(found_);
  }

 private:
  void open() {
    Trace::Span span(trace_, "search.open");
    snapshot_ = kb_.snapshots.at(reading_);
    snapshot_->check_files();
    const std::string& name = options_.group.empty() ? kb_.settings.group : options_.group;
    group_ = snapshot_->find(name);
    if (group_ == nullptr || (group_->words.empty() && snapshot_->commit > 0)) find_other(name);
    has_vectors_ = options_.mode != Mode::bm25 && group_ != nullptr && !group_->flat.empty();
    span.note("commit", static_cast<std::int64_t>(snapshot_->commit));
    span.note("group", group_ == nullptr ? name : group_->row.name);
    span.note("nodes",
              static_cast<std::int64_t>(group_ == nullptr ? 0 : group_->statistics.nodes));
    if (options_.mode == Mode::hybrid && !has_vectors_ && group_ != nullptr &&
        group_->statistics.nodes > 0) {
      found_.result.notices.push_back("no vectors yet: searched by words alone; `hasten ingest` makes them");
    }
  }

  /// The group asked for was not made. The default then is the only one there is, if so.
  void find_other(const std::string& name) {
    std::vector<std::string> made;
    for (const GroupSnapshot& group : snapshot_->groups) {
      if (!group.words.empty()) made.push_back(group.row.name);
    }
    if (made.empty()) {
      if (options_.group.empty() || name == kb_.settings.group) return;  // nothing ingested: no hits
    } else if (options_.group.empty()) {
      group_ = snapshot_->find(made.front());
      return;
    }
    throw Error(Code::not_found,
                fmt::format("node group '{}' was not made here; made: {}; `hasten ingest --group {} "
                            "PATH` makes it",
                            name, made.empty() ? "none" : fmt::format("{}", fmt::join(made, ", ")),
                            name));
  }

  void filter() {
    if (options_.filter.empty()) return;
    Trace::Span span(trace_, "search.filter");
    const auto [filtered, hit] = kb_.filters.evaluate(reading_, *snapshot_, group_, options_.filter);
    filtered_ = filtered;
    span.note("cache", hit ? "hit" : "miss");
    if (trace_ != nullptr) explain(span, *filtered_);
  }

  const DocumentSet* allowed() const { return filtered_ ? &filtered_->documents : nullptr; }

  void cut_query() {
    Trace::Span span(trace_, "search.words");
    if (options_.operators) {
      asked_ = WordQuery::parse(query_);
    } else {
      asked_.plain = query_;
      asked_.terms = term_texts(query_);
    }
    terms_ = asked_.terms;
    span.note("terms", static_cast<std::int64_t>(terms_.size()));
    const bool blank = query_.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (blank || (terms_.empty() && (options_.mode == Mode::bm25 || !has_vectors_))) {
      throw Error(Code::invalid, fmt::format("the question '{}' has no words to search for; ask with "
                                             "at least one word that is not a stop word",
                                             query_));
    }
    if (group_ == nullptr) return;
    found_.weights = TermWeights(terms_, document_frequencies(group_->word_inputs(), terms_),
                                 group_->statistics.nodes);
  }

  /// How many hits are looked for: more than are asked for where they are put in order again.
  std::size_t wanted() const { return std::max(options_.top_k, plan_.depth); }

  std::size_t depth() const {
    return options_.mode == Mode::hybrid ? std::max(kFusedDepth, wanted()) : wanted();
  }

  std::vector<Ranked> by_words() {
    if (group_ == nullptr) return {};
    Trace::Span span(trace_, "search.bm25");
    const auto scored =
        search_bm25(group_->word_inputs(), terms_, group_->statistics,
                    {kb_.settings.bm25_k1, kb_.settings.bm25_b}, depth(), conditions());
    span.note("hits", static_cast<std::int64_t>(scored.size()));
    return ranked(scored);
  }

  Bm25Conditions conditions() {
    Bm25Conditions conditions;
    conditions.allowed = allowed();
    conditions.required = asked_.required;
    conditions.excluded = asked_.excluded;
    if (asked_.has_phrases() || (filtered_ && filtered_->nodes)) {
      conditions.accept = [this](NodeNumber node) {
        if (filtered_ && !filtered_->accepts(node, *group_)) return false;
        if (!asked_.has_phrases()) return true;
        const auto rows = reading_.nodes({&node, 1});
        return !rows.empty() && asked_.phrases_fit(text_of(reading_, rows.front()));
      };
    }
    return conditions;
  }

  /// Whether a passage found by meaning holds the words that were asked for, and none of the others.
  bool fits(const NodeRow& row) const {
    const std::string text = text_of(reading_, row);
    const auto cut = term_texts(text);
    const std::set<std::string_view> words(cut.begin(), cut.end());
    const auto stands = [&](const std::string& term) { return words.contains(term); };
    return std::ranges::all_of(asked_.required, stands) &&
           std::ranges::none_of(asked_.excluded, stands) && asked_.phrases_fit(text);
  }

  std::vector<Ranked> by_meaning() {
    const std::string name = kb_.embedder_name(reading_);
    check_fingerprint(name);
    {
      Trace::Span span(trace_, "search.embed");
      std::shared_ptr<const Embedder> embedder;
      {
        const Trace::Span load(trace_, "search.embed.load");
        embedder = kb_.models.embedder(name);
      }
      const std::string_view texts[] = {asked_.plain};
      found_.query_vector = embedder->embed(texts, Role::query, stop_).values;
      span.note("dim", static_cast<std::int64_t>(found_.query_vector.size()));
    }
    Trace::Span span(trace_, "search.vectors");
    const std::string fingerprint = group_->flat.front().row.signature;
    VectorQuery query;
    query.vector = found_.query_vector;
    query.k = asked_.has_conditions() ? std::max(kConditionedDepth, depth()) : depth();
    query.allowed = allowed();
    set_recall(query);
    query.threads = thread_count(kb_.settings.threads);
    query.moments = true;
    const VectorAnswer answer = search_vectors(vector_inputs(), query, [&](std::uint64_t row) {
      return kb_.store.vector(fingerprint, row);
    });
    const std::vector<Scored>& scored = answer.best;
    evidence_.corpus = answer.moments;
    if (!scored.empty()) evidence_.best_cosine = scored.front().score;
    evidence_.unrelated = unrelated_of(reading_);
    if (trace_ != nullptr) explain_vectors(span, answer.plans);
    return ranked(scored, asked_.has_conditions());
  }

  std::vector<VectorInput> vector_inputs() const {
    return filtered_ ? filtered_->vector_inputs(*group_) : group_->flat_inputs();
  }

  /// How far walks go: by what was measured here, else a pool that is large for most texts.
  void set_recall(VectorQuery& query) const {
    constexpr std::size_t kPoolUnmeasured = 128;
    const double recall = options_.recall > 0 ? options_.recall : kb_.settings.recall;
    const auto measured = recall_of(reading_, group_->row.id);
    const auto pool = measured ? measured->pool(query.k, recall, query.allowed != nullptr)
                               : std::optional(std::max(kPoolUnmeasured, 2 * query.k));
    query.exact = recall >= 1 || !pool;
    query.pool = pool.value_or(query.k);
  }

  /// All segments together: which methods were chosen, and what they would and did look at.
  static void explain_vectors(Trace::Span& span, std::span<const VectorPlan> plans) {
    std::set<std::string_view> methods;
    VectorPlan all;
    for (const VectorPlan& plan : plans) {
      methods.insert(plan.method);
      all.nodes += plan.nodes;
      all.expected += plan.expected;
      all.scored += plan.scored;
      all.steps += plan.steps;
      all.scan_us += plan.scan_us;
      all.walk_us += plan.walk_us;
    }
    const auto note = [&](std::string_view key, double value) {
      span.note(key, static_cast<std::int64_t>(value));
    };
    span.note("segments", static_cast<std::int64_t>(plans.size()));
    span.note("methods", fmt::format("{}", fmt::join(methods, ", ")));
    note("nodes", static_cast<double>(all.nodes));
    note("expected", static_cast<double>(all.expected));
    note("scan_us_estimated", all.scan_us);
    note("walk_us_estimated", all.walk_us);
    note("scored", static_cast<double>(all.scored));
    note("steps", static_cast<double>(all.steps));
  }

  void check_fingerprint(const std::string& name) const {
    const std::string now = kb_.models.fingerprint(name);
    const std::string& stored = group_->flat.front().row.signature;
    if (now != stored) {
      throw Error(Code::mismatch,
                  fmt::format("the vectors here are of {}, the embedder {} is {}; set the embedder "
                              "that made them, or ingest into a new knowledge base",
                              stored, name, now));
    }
  }

  std::vector<Ranked> ranked(const std::vector<Scored>& scored, bool check_words = false) {
    std::vector<NodeNumber> numbers;
    for (const Scored& candidate : scored) numbers.push_back(candidate.node);
    std::vector<Ranked> list;
    std::unordered_map<NodeNumber, double> scores;
    for (const Scored& candidate : scored) scores[candidate.node] = candidate.score;
    for (NodeRow& row : reading_.nodes(numbers)) {
      if (check_words && !fits(row)) continue;
      list.push_back({row.number, row.id, scores[row.number]});
      rows_.emplace(row.number, std::move(row));
    }
    sort_ranked(list);
    list.resize(std::min(list.size(), depth()));
    return list;
  }

  void load_hits(const std::vector<Ranked>& ranked) {
    Trace::Span span(trace_, "search.texts");
    std::int64_t bytes = 0;
    std::unordered_map<std::uint32_t, DocumentRow> documents;
    for (const Ranked& entry : ranked) {
      const NodeRow& row = rows_.at(entry.node);
      auto at = documents.find(row.document);
      if (at == documents.end()) {
        auto document = reading_.document(row.document);
        if (!document) continue;
        at = documents.emplace(row.document, std::move(*document)).first;
      }
      found_.result.hits.push_back(hit(row, at->second, entry.score));
      found_.pages.push_back(at->second.pages);
      bytes += static_cast<std::int64_t>(found_.result.hits.back().node.text.size());
    }
    span.note("bytes", bytes);
  }

  Hit hit(const NodeRow& row, const DocumentRow& document, double score) {
    Hit hit;
    hit.node.id = row.id;
    hit.node.doc_id = document.id;
    hit.node.group = group_->row.name;
    hit.node.text = text_of(reading_, row);
    hit.node.span = row.span;
    hit.node.parent = row.parent;
    hit.node.number = row.ordinal;
    hit.node.derived = row.derived;
    hit.node.metadata = row.metadata;
    hit.node.metadata.merge(document_fields(document));
    hit.path = shown_path(document.shown, document.path);
    hit.root = document.root;
    hit.score = score;
    hit.page = page_at(document.pages, row.span.from);
    return hit;
  }

  /// Puts the hits in the reranker's order and keeps as many as were asked for.
  void rerank_hits() {
    if (plan_.name.empty() || found_.result.hits.empty()) return;
    const std::vector<Hit> hits = std::exchange(found_.result.hits, {});
    const auto pages = std::exchange(found_.pages, {});
    for (const auto& [from, score] : rerank(kb_, plan_.name, asked_.plain, hits, trace_, stop_)) {
      if (found_.result.hits.size() == options_.top_k) break;
      Hit& hit = found_.result.hits.emplace_back(hits[from]);
      hit.first_stage = FirstStage{from + 1, hit.score};
      hit.score = score;
      found_.pages.push_back(pages[from]);
    }
  }

  void judge() {
    if (found_.result.hits.empty()) {
      found_.result.relevance = 0;
      return;
    }
    Trace::Span span(trace_, "search.relevance");
    for (const Hit& hit : found_.result.hits) {
      evidence_.coverage = std::max(evidence_.coverage, found_.weights.coverage(hit.node.text));
    }
    evidence_.languages = languages_of(query_, found_.result.hits.front().node.text);
    found_.result.relevance = relevance(evidence_);
    if (trace_ == nullptr) return;
    span.note("coverage", fmt::format("{:.4f}", evidence_.coverage));
    if (evidence_.best_cosine) {
      span.note("best_cosine", fmt::format("{:.4f}", *evidence_.best_cosine));
      span.note("corpus_deviations", fmt::format("{:.4f}", corpus_deviations(evidence_)));
      span.note("embedder_deviations", fmt::format("{:.4f}", embedder_deviations(evidence_)));
    }
    span.note("relevance", fmt::format("{:.4f}", *found_.result.relevance));
  }

  KnowledgeBase& kb_;
  std::string_view query_;
  const SearchOptions& options_;
  Trace* trace_;
  std::stop_token stop_;
  RerankPlan plan_;
  LocalStore::Reading reading_;
  std::shared_ptr<const Snapshot> snapshot_;
  const GroupSnapshot* group_ = nullptr;
  bool has_vectors_ = false;
  std::shared_ptr<const Filtered> filtered_;
  WordQuery asked_;
  std::vector<std::string> terms_;  // those that are scored
  RelevanceEvidence evidence_;
  std::unordered_map<NodeNumber, NodeRow> rows_;
  Found found_;
};

/// Rebuilds what is damaged, in place when this process may write, else through a writer of its own.
std::vector<std::string> repair(KnowledgeBase& kb) {
  if (kb.access == LocalStore::Access::write) {
    return rebuild_damaged_segments(kb.store, kb.snapshots, true, {});
  }
  kb.snapshots.forget();
  LocalStore writer(kb.store.folder(), LocalStore::Access::write, "repair");
  Snapshots snapshots(writer.segments_folder());
  return rebuild_damaged_segments(writer, snapshots, true, {});
}

}  // namespace

std::optional<std::uint64_t> page_at(const std::vector<std::uint64_t>& pages, std::uint64_t offset) {
  if (pages.empty()) return std::nullopt;
  const auto after = std::upper_bound(pages.begin(), pages.end(), offset);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(after - pages.begin()));
}

Found search(KnowledgeBase& kb, std::string_view query, const SearchOptions& options, Trace* trace,
             std::stop_token stop) {
  if (options.top_k == 0) throw Error(Code::invalid, "top_k is 0; ask for at least one hit");
  const auto attempt = [&] { return Search(kb, query, options, trace, stop).run(); };
  const auto unless_damaged = [&]() -> std::optional<Found> {
    try {
      return attempt();
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      kb.snapshots.forget();
      return std::nullopt;
    }
  };
  if (auto found = unless_damaged()) return std::move(*found);
  // A writer may have merged a segment away between our reading of the manifest and our opening of
  // the file: a new reading sees the new manifest. If it fails again it is damage.
  if (auto found = unless_damaged()) return std::move(*found);
  const auto rebuilt = repair(kb);
  Found found = attempt();
  found.result.notices.insert(found.result.notices.begin(), rebuilt.begin(), rebuilt.end());
  return found;
}

}  // namespace hasten
