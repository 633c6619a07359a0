#include "engine/search/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <set>

#include "engine/caching/result_cache.hpp"
#include "engine/ingest/scan.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/search/passage_texts.hpp"
#include "engine/search/retrieve.hpp"
#include "engine/search/search_plan.hpp"
#include "engine/search/shape.hpp"
#include "engine/stores/stores.hpp"
#include "hasten/error.hpp"
#include "retrieval/fuse.hpp"

namespace hasten {
namespace {

Filter both(const Filter& a, const Filter& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  return Filter::parse(fmt::format("({}) and ({})", a.to_string(), b.to_string()));
}

/// What is known of a question before it is searched; borrowed, null where there is nothing.
struct Known {
  const QuestionVector* vector = nullptr;
  const Found* before = nullptr;  ///< at an earlier commit
};

/// One search over one snapshot: the steps of SearchOptions, in their order.
class Search {
 public:
  Search(KnowledgeBase& kb, std::string_view query, const Known& known, const SearchOptions& options,
         Trace* trace, std::stop_token stop)
      : kb_(kb),
        query_(query),
        vector_(known.vector),
        options_(with_settings(options, kb.settings)),
        trace_(trace),
        stop_(std::move(stop)) {
    if (known.before == nullptr) return;
    for (const Hit& hit : known.before->result.hits) known_texts_.emplace(hit.node.id, &hit.node.text);
  }

  Found run() {
    while (!open()) {  // a user's index was brought to a newer commit meanwhile: read that one
    }
    filter();
    cut_questions();
    Retrieved retrieved = retrieve(kb_, plan_, questions_, *rows_, trace_, stop_);
    leases_.clear();
    found_.query_vector = std::move(retrieved.query_vector);
    std::vector<Ranked> hits = fuse_lists(retrieved.lists);
    if (!plan_.rerank.name.empty()) hits = reranked(hits);
    const std::vector<Ranked> best(hits.begin(), hits.begin() + std::min(hits.size(), plan_.top_k));
    const std::vector<ShapedHit> shaped = reshaped(std::move(hits));
    found_.result.hits = hits_of(shaped);
    for (const ShapedHit& hit : shaped) found_.pages.push_back(document_of(hit).pages);
    judge(best, retrieved.evidence);
    return std::move(found_);
  }

 private:
  /// @return whether everything is there at one commit.
  bool open() {
    Trace::Span span(trace_, "search.open");
    reading_ = kb_.store.read();
    rows_.emplace(*reading_);
    found_.at = reading_->commit_name();
    snapshot_ = kb_.snapshots.at(*reading_);
    snapshot_->check_files();
    plan_ = plan_search(kb_, *snapshot_, options_);
    found_.result.notices = plan_.notices;
    if (!plan_.retrievers.empty()) group_ = plan_.retrievers.front().group;
    span.note("commit", static_cast<std::int64_t>(snapshot_->commit));
    if (group_ != nullptr) {
      span.note("group", group_->row.name);
      span.note("nodes", static_cast<std::int64_t>(group_->statistics.nodes));
    }
    return lease_indexes();
  }

  /// Holds the users' indexes at this commit. Always in the order of their addresses: two searches
  /// that hold one each and wait for the other's cannot be.
  bool lease_indexes() {
    std::set<UserIndex*> used;
    for (const PlannedRetriever& retriever : plan_.retrievers) {
      if (retriever.index != nullptr) used.insert(retriever.index);
    }
    leases_.clear();
    for (UserIndex* index : used) {
      Trace::Span span(trace_, "search.index.update");
      auto lease = index->at(*reading_, *snapshot_, kb_.store, stop_);
      if (!lease) {
        leases_.clear();
        return false;
      }
      leases_.push_back(std::move(*lease));
    }
    return true;
  }

  void filter() {
    std::map<std::pair<const GroupSnapshot*, std::string>, std::shared_ptr<const Filtered>> known;
    for (PlannedRetriever& retriever : plan_.retrievers) {
      const Filter filter = both(options_.filter, retriever.asked.filter);
      const auto [at, is_new] = known.try_emplace({retriever.group, filter.to_string()});
      if (is_new) at->second = filtered(filter, retriever.group);
      retriever.filtered = at->second;
      retriever.filter = filter;
    }
  }

  /// What may answer under a filter; null: everything.
  std::shared_ptr<const Filtered> filtered(const Filter& filter, const GroupSnapshot* group) {
    if (filter.empty()) return nullptr;
    Trace::Span span(trace_, "search.filter");
    const auto [found, hit] = kb_.filters.evaluate(*reading_, *snapshot_, group, filter);
    span.note("cache", hit ? "hit" : "miss");
    if (trace_ != nullptr) explain(span, *found);
    return found;
  }

  void cut_questions() {
    Trace::Span span(trace_, "search.words");
    questions_.emplace_back(query_, 1, options_.operators).vector = options_.operators ? nullptr : vector_;
    for (const WeightedQuery& query : options_.queries) {
      if (!(query.weight >= 0 && query.weight <= 1e300)) {
        throw Error(Code::invalid, fmt::format("the weight of the question '{}' is {}; it takes a number "
                                               "from 0 on",
                                               query.text, query.weight));
      }
      if (query.weight > 0) questions_.emplace_back(query.text, query.weight, options_.operators);
    }
    for (const Question& question : questions_) check_words(question);
    const std::vector<std::string>& terms = questions_.front().words.terms;
    span.note("terms", static_cast<std::int64_t>(terms.size()));
    if (group_ == nullptr) return;
    found_.weights =
        TermWeights(terms, document_frequencies(group_->word_inputs(), terms), group_->statistics.nodes);
  }

  void check_words(const Question& question) const {
    const bool blank = question.text.find_first_not_of(" \t\r\n") == std::string_view::npos;
    const bool words_alone = !plan_.uses(Similarity::vectors) && !plan_.uses(Similarity::own);
    if (blank || (question.words.terms.empty() && words_alone)) {
      throw Error(Code::invalid, fmt::format("the question '{}' has no words to search for; ask with "
                                             "at least one word that is not a stop word",
                                             question.text));
    }
  }

  std::vector<Ranked> fuse_lists(std::span<const RankedList> lists) {
    Trace::Span span(trace_, "search.fuse");
    std::vector<Ranked> fused = fuse(lists, plan_.fusion);
    std::erase_if(fused, [&](const Ranked& hit) { return !(hit.score >= plan_.cut_off); });
    if (lists.size() > 1) span.note("fusion", to_string(plan_.fusion.fusion));
    span.note("lists", static_cast<std::int64_t>(lists.size()));
    span.note("hits", static_cast<std::int64_t>(fused.size()));
    return fused;
  }

  /// The best hits in the reranker's order and with its scores; those beyond them are left out.
  std::vector<Ranked> reranked(std::vector<Ranked> hits) {
    hits.resize(std::min(hits.size(), plan_.rerank.depth));
    if (hits.empty()) return hits;
    const std::vector<Hit> passages = hits_of(with_windows(hits, 0, *rows_));
    std::vector<Ranked> best;
    for (const auto& [from, score] :
         rerank(kb_, plan_.rerank.name, questions_.front().words.plain, passages, trace_, stop_)) {
      first_stage_[hits[from].node] = {from + 1, hits[from].score};
      best.push_back({hits[from].node, hits[from].id, score});
    }
    return best;
  }

  std::vector<ShapedHit> reshaped(std::vector<Ranked> hits) {
    Trace::Span span = plan_.reshapes() ? Trace::Span(trace_, "search.shape") : Trace::Span();
    const auto note = [&](std::string_view step, std::size_t left) {
      span.note(step, static_cast<std::int64_t>(left));
    };
    if (plan_.target != nullptr) {
      hits = to_target(hits, *plan_.target, *snapshot_, *rows_);
      note("target", hits.size());
    }
    if (plan_.fold > 0) {
      hits = without_duplicates(hits, plan_.fold, *rows_);
      note("fold", hits.size());
    }
    if (plan_.diversity > 0) {
      hits = diversified(hits, plan_.diversity, plan_.top_k, *snapshot_, kb_.store, *rows_, stop_);
      note("diversity", hits.size());
    }
    hits.resize(std::min(hits.size(), plan_.top_k));
    auto shaped = with_windows(hits, plan_.window, *rows_);
    if (plan_.window > 0) note("window", shaped.size());
    return shaped;
  }

  const DocumentRow& document_of(const ShapedHit& hit) {
    const DocumentRow* document = rows_->document(rows_->find(hit.node)->document);
    if (document != nullptr) return *document;
    throw Error(Code::damaged, fmt::format("node {} is of no document; `hasten verify --repair` mends it",
                                           rows_->find(hit.node)->id.to_string()));
  }

  std::vector<Hit> hits_of(const std::vector<ShapedHit>& shaped) {
    Trace::Span span(trace_, "search.texts");
    std::vector<const NodeRow*> nodes;
    for (const ShapedHit& entry : shaped) nodes.push_back(rows_->find(entry.node));
    rows_->load_documents_of(nodes);
    std::vector<std::string> texts = texts_of(shaped, nodes, span);
    std::int64_t bytes = 0;
    std::vector<Hit> hits;
    for (std::size_t i = 0; i < shaped.size(); ++i) {
      bytes += static_cast<std::int64_t>(texts[i].size());
      hits.push_back(hit_of(shaped[i], *nodes[i], document_of(shaped[i]), std::move(texts[i])));
    }
    span.note("bytes", bytes);
    return hits;
  }

  /// All that is not known is read at one go.
  std::vector<std::string> texts_of(const std::vector<ShapedHit>& shaped,
                                    std::span<const NodeRow* const> nodes, Trace::Span& span) const {
    std::vector<std::string> texts(shaped.size());
    std::vector<PassagePlace> places;
    std::vector<std::size_t> read;
    for (std::size_t i = 0; i < shaped.size(); ++i) {
      const NodeRow& node = *nodes[i];
      const bool own = shaped[i].span == node.span;
      if (const std::string* known = known_text(node)) {
        texts[i] = *known;
      } else if (own && node.derived) {
        texts[i] = node.text;
      } else {
        places.push_back(
            {{node.document, shaped[i].span}, own ? std::optional(node.text_hash) : std::nullopt});
        read.push_back(i);
      }
    }
    PassageTexts found = passage_texts(kb_.caches, *reading_, places);
    for (std::size_t n = 0; n < read.size(); ++n) texts[read[n]] = std::move(found.texts[n]);
    if (kb_.caches.has(Cached::passages)) span.note("cached", static_cast<std::int64_t>(found.cached));
    return texts;
  }

  Hit hit_of(const ShapedHit& shaped, const NodeRow& row, const DocumentRow& document,
             std::string text) const {
    Hit hit;
    hit.node = node_of(row, document, group_name(row.group), std::move(text));
    hit.node.span = shaped.span;
    hit.path = shown_path(document.shown, document.path);
    hit.root = document.root;
    hit.score = shaped.score;
    hit.page = page_at(document.pages, shaped.span.from);
    if (const auto at = first_stage_.find(shaped.node); at != first_stage_.end())
      hit.first_stage = at->second;
    return hit;
  }

  /// A node's id is made of its text: what was read of it before is what would be read now.
  const std::string* known_text(const NodeRow& row) const {
    const auto known = known_texts_.find(row.id);
    return known == known_texts_.end() || plan_.reshapes() ? nullptr : known->second;
  }

  const GroupSnapshot* group_of(std::uint32_t id) const {
    const auto group = std::ranges::find_if(
        snapshot_->groups, [id](const GroupSnapshot& candidate) { return candidate.row.id == id; });
    return group == snapshot_->groups.end() ? nullptr : &*group;
  }

  std::string group_name(std::uint32_t id) const {
    const GroupSnapshot* const group = group_of(id);
    return group == nullptr ? "" : group->row.name;
  }

  /// By the nodes that were found, whatever was made of them: a larger passage would cover more words
  /// by chance.
  void judge(const std::vector<Ranked>& best, RelevanceEvidence evidence) {
    if (best.empty()) {
      found_.result.relevance = 0;
      return;
    }
    Trace::Span span(trace_, "search.relevance");
    evidence.languages = languages_of(query_, first_text(best.front().node));
    std::vector<double> covered = coverage(best);
    evidence.coverage = std::ranges::max(covered);
    if (!plan_.reshapes()) found_.coverage = std::move(covered);
    found_.result.relevance = relevance(evidence);
    if (trace_ == nullptr) return;
    span.note("coverage", fmt::format("{:.4f}", evidence.coverage));
    if (evidence.best_cosine) {
      span.note("best_cosine", fmt::format("{:.4f}", *evidence.best_cosine));
      span.note("corpus_deviations", fmt::format("{:.4f}", corpus_deviations(evidence)));
      span.note("embedder_deviations", fmt::format("{:.4f}", embedder_deviations(evidence)));
    }
    span.note("relevance", fmt::format("{:.4f}", *found_.result.relevance));
  }

  std::string first_text(NodeNumber node) {
    return plan_.reshapes() ? text_of(*reading_, *rows_->find(node)) : found_.result.hits.front().node.text;
  }

  /// How much of the question's words each of these nodes has: as the word index says, where it has the node.
  std::vector<double> coverage(const std::vector<Ranked>& best) {
    std::vector<std::string> terms;
    for (const auto& [term, weight] : found_.weights.weights()) terms.push_back(term);
    const std::vector<const NodeRow*> rows = rows_->of_hits(best);
    std::map<std::uint32_t, std::vector<std::size_t>> by_group;
    for (std::size_t i = 0; i < best.size(); ++i) by_group[rows[i]->group].push_back(i);
    std::vector<double> coverage(best.size());
    for (const auto& [id, places] : by_group) {
      std::vector<NodeNumber> nodes;
      for (const std::size_t i : places) nodes.push_back(best[i].node);
      const GroupSnapshot* const group = group_of(id);
      const auto inputs = group == nullptr ? std::vector<Bm25Input>() : group->word_inputs();
      const auto within = terms_within(inputs, terms, nodes);
      for (std::size_t n = 0; n < nodes.size(); ++n) {
        coverage[places[n]] = within[n] ? found_.weights.coverage(*within[n])
                                        : found_.weights.coverage(text_of(*reading_, *rows[places[n]]));
      }
    }
    return coverage;
  }

  KnowledgeBase& kb_;
  std::string_view query_;
  const QuestionVector* vector_;  // of the query; null: not known
  SearchOptions options_;
  Trace* trace_;
  std::stop_token stop_;
  std::unique_ptr<SegmentStore::Reading> reading_;
  std::optional<NodeRows> rows_;
  std::shared_ptr<const Snapshot> snapshot_;
  SearchPlan plan_;
  std::map<Id, const std::string*> known_texts_;  // by node
  const GroupSnapshot* group_ = nullptr;          // of the first retriever: what terms are weighed by
  std::vector<UserIndex::Lease> leases_;
  std::vector<Question> questions_;
  std::map<NodeNumber, FirstStage> first_stage_;  // of what was reranked
  Found found_;
};

/// Rebuilds what is damaged, in place when this process may write, else through a writer of its own.
std::vector<std::string> repair(KnowledgeBase& kb) {
  if (kb.access == SegmentStore::Access::write) {
    return rebuild_damaged_segments(kb.store, kb.snapshots, true, {});
  }
  kb.snapshots.forget();
  const auto writer =
      open_segment_store(kb.settings.stores, kb.store.folder(), SegmentStore::Access::write, "repair");
  Snapshots snapshots;
  return rebuild_damaged_segments(*writer, snapshots, true, {});
}

}  // namespace

std::optional<std::uint64_t> page_at(const std::vector<std::uint64_t>& pages, std::uint64_t offset) {
  if (pages.empty()) return std::nullopt;
  const auto after = std::upper_bound(pages.begin(), pages.end(), offset);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(after - pages.begin()));
}

namespace {

/// Searches, whatever the caches have of the whole.
Found search_anew(KnowledgeBase& kb, std::string_view query, const Known& known, const SearchOptions& options,
                  Trace* trace, std::stop_token stop) {
  const auto attempt = [&] { return Search(kb, query, known, options, trace, stop).run(); };
  // A writer may have merged a segment away between our reading of the manifest and our opening of
  // the file, or compacted the vectors: a new reading sees the new manifest. If it fails again, and nothing
  // was committed between, it is damage.
  for (std::optional<std::uint64_t> before;;) {
    try {
      return attempt();
    } catch (const OutdatedRow&) {
      if (before == kb.store.read()->seen()) throw;
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
    }
    kb.snapshots.forget();
    const std::uint64_t commit = kb.store.read()->seen();
    if (before == commit) break;
    before = commit;
  }
  const auto rebuilt = repair(kb);
  Found found = attempt();
  found.at = {};  // the notices are of this search alone
  found.result.notices.insert(found.result.notices.begin(), rebuilt.begin(), rebuilt.end());
  return found;
}

}  // namespace

Found search(KnowledgeBase& kb, std::string_view query, const SearchOptions& options, Trace* trace,
             std::stop_token stop, const QuestionVector* vector) {
  kb.caches.count(query);
  const SearchOptions asked = with_settings(options, kb.settings);
  const auto key = kb.caches.has(Cached::results) ? result_key(kb, query, asked) : std::nullopt;
  Known known{vector, nullptr};
  if (!key) return search_anew(kb, query, known, asked, trace, std::move(stop));
  std::optional<Found> before;
  CommitName newest;
  {
    Trace::Span span(trace, "search.cache");
    std::exception_ptr failed;
    const auto bytes = kb.caches.get(Cached::results, *key, [&] {
      try {
        newest = kb.store.newest();
      } catch (...) {
        failed = std::current_exception();
      }
    });
    if (failed) std::rethrow_exception(failed);
    if (bytes) before = decode_found(*bytes);
    const bool hit = before && newest.id != 0 && before->at == newest;
    span.note("results", hit ? "hit" : "miss");
    if (hit) return std::move(*before);
  }
  if (newest.id == 0) return search_anew(kb, query, known, asked, trace, std::move(stop));
  const auto found = kb.searching.run(
      fmt::format("{} {:016x}", *key, newest.id),
      [&] {
        known.before = before ? &*before : nullptr;
        auto made = std::make_shared<const Found>(search_anew(kb, query, known, asked, trace, stop));
        if (made->at.id != 0) kb.caches.put(Cached::results, *key, encode(*made));
        return made;
      },
      stop);
  return *found;
}

}  // namespace hasten
