#include "engine/search/retrieve.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/threads.hpp"
#include "engine/caching/cached_list.hpp"
#include "engine/search/search_lists.hpp"
#include "engine/stores/remote_vectors.hpp"
#include "hasten/error.hpp"
#include "retrieval/calibrate.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr std::size_t kConditionedDepth = 1000;        // how many of the nearest are looked through for words
constexpr std::uint64_t kNodesWorthAThread = 100'000;  // searched together, for a second thread to pay

std::vector<std::string> term_texts(std::string_view text) {
  std::vector<std::string> texts;
  for (Term& term : terms(text)) texts.push_back(std::move(term.text));
  return texts;
}

/// The vector of a question, made when it is first asked for. Thread-safe.
class LazyVector {
 public:
  std::span<const float> get(const std::function<std::vector<float>()>& embed) {
    std::call_once(once_, [&] { values_ = embed(); });
    return values_;
  }

 private:
  std::once_flag once_;
  std::vector<float> values_;
};

/// One retriever and one question, and what came of it.
struct Job {
  std::size_t number;  // among all
  const PlannedRetriever* retriever;
  std::size_t question;
  VectorQuery vector_query;                     // of Similarity::vectors
  std::optional<RemoteVectors::Target> target;  // where a vector store has some of them
  std::optional<RemoteVectors::Found> found;    // there
  std::vector<Scored> scored;                   // by a built-in similarity
  std::optional<CachedList> list;               // all that is to be kept of it
  std::string_view cache;                       // "hit", "updated" or "miss"; "": it is not cached
  std::vector<Ranked> ranked;                   // by the user's index
  ScoreMoments moments;
  std::vector<VectorPlan> plans;
  Trace::Clock::time_point began;
  Trace::Clock::duration took{};
};

using Notes = std::vector<std::pair<std::string, std::string>>;

/// All segments together: which methods were chosen, and what they would and did look at.
void explain(Notes& notes, std::span<const VectorPlan> plans) {
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
  const auto note = [&](std::string_view key, std::uint64_t value) {
    notes.emplace_back(key, std::to_string(value));
  };
  note("segments", plans.size());
  notes.emplace_back("methods", fmt::format("{}", fmt::join(methods, ", ")));
  note("nodes", all.nodes);
  note("expected", all.expected);
  note("scan_us_estimated", static_cast<std::uint64_t>(all.scan_us));
  note("walk_us_estimated", static_cast<std::uint64_t>(all.walk_us));
  note("scored", all.scored);
  note("steps", all.steps);
}

/// What the vector store was asked for.
void explain(Notes& notes, const RemoteVectors::Target& target, const RemoteVectors::Found& found,
             const RemoteVectors& remote) {
  notes.emplace_back("store", remote.store().where());
  notes.emplace_back("store_asked", std::to_string(found.asked));
  notes.emplace_back("store_found", std::to_string(found.found));
  if (!found.filtered_by.empty()) notes.emplace_back("store_filtered_by", found.filtered_by);
  if (remote.store().exact()) return;
  notes.emplace_back("store_recall", target.recall       ? fmt::format("{:.4f}", *target.recall)
                                     : target.candidates ? "not measured"
                                                         : "all scored here");
}

class Retrieving {
 public:
  Retrieving(KnowledgeBase& kb, const SearchPlan& plan, std::span<const Question> questions, NodeRows& rows,
             Trace* trace, std::stop_token stop)
      : kb_(kb),
        plan_(plan),
        questions_(questions),
        rows_(rows),
        trace_(trace),
        stop_(std::move(stop)),
        embedder_(kb.embedder_name(rows.reading())),
        unrelated_(unrelated_of(rows.reading())),
        vectors_(questions.size()),
        lists_(kb, rows) {}

  Retrieved run() {
    embed_questions();
    for (std::size_t q = 0; q < questions_.size(); ++q) {
      for (const PlannedRetriever& retriever : plan_.retrievers) {
        if (retriever.group != nullptr)
          jobs_.push_back({.number = jobs_.size(), .retriever = &retriever, .question = q});
      }
    }
    look_up_lists();
    for (Job& job : jobs_) prepare(job);
    parallel_for(
        jobs_.size(), threads(), [&](std::size_t i) { find(jobs_[i]); }, stop_);
    for (Job& job : jobs_) found_.lists.push_back(list_of(job));
    return std::move(found_);
  }

 private:
  // ---- before the lists ----

  /// One by one: in a batch a vector's last bits would depend on the other questions.
  void embed_questions() {
    if (!plan_.uses(Similarity::vectors)) return;
    for (const PlannedRetriever& retriever : plan_.retrievers) {
      if (retriever.similarity == Similarity::vectors) check_fingerprint(*retriever.group);
    }
    Trace::Span span(trace_, "search.embed");
    const std::size_t known = look_up_vectors();
    if (known < questions_.size()) {
      const Trace::Span load(trace_, "search.embed.load");
      kb_.models.embedder(embedder_);
    }
    for (std::size_t q = 0; q < questions_.size(); ++q) vector_of(q);
    found_.query_vector.assign(vector_of(0).begin(), vector_of(0).end());
    span.note("dim", static_cast<std::int64_t>(found_.query_vector.size()));
    if (questions_.size() > 1) span.note("questions", static_cast<std::int64_t>(questions_.size()));
    if (kb_.caches.has(Cached::embeddings)) span.note("cached", static_cast<std::int64_t>(known));
  }

  /// Takes the vectors that are known, and those that the cache has. @return how many.
  std::size_t look_up_vectors() {
    const std::string fingerprint = kb_.models.fingerprint(embedder_);
    std::vector<std::size_t> unknown;
    std::vector<std::string_view> texts;
    for (std::size_t q = 0; q < questions_.size(); ++q) {
      const QuestionVector* const vector = questions_[q].vector;
      if (vector != nullptr && vector->fingerprint == fingerprint) {
        vectors_[q].get([&] { return vector->values; });
        continue;
      }
      unknown.push_back(q);
      texts.push_back(questions_[q].words.plain);
    }
    if (unknown.empty()) return questions_.size();
    std::size_t known = questions_.size() - unknown.size();
    auto cached = cached_vectors(kb_, embedder_, texts);
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      if (!cached[i]) continue;
      vectors_[unknown[i]].get([&] { return std::move(*cached[i]); });
      ++known;
    }
    return known;
  }

  void check_fingerprint(const GroupSnapshot& group) const {
    const std::string now = kb_.models.fingerprint(embedder_);
    const std::string& stored = group.fingerprint();
    if (now != stored) {
      throw Error(Code::mismatch,
                  fmt::format("the vectors here are of {}, the embedder {} is {}; set the embedder "
                              "that made them, or ingest into a new knowledge base",
                              stored, embedder_, now));
    }
  }

  std::span<const float> vector_of(std::size_t question) {
    return vectors_[question].get(
        [&] { return embed_question(kb_, embedder_, questions_[question].words.plain, stop_); });
  }

  void look_up_lists() {
    std::vector<AskedList> asked;
    for (const Job& job : jobs_) {
      const Question& question = questions_[job.question];
      asked.push_back({job.retriever, question.text, question.operated, looked_at(job), plan_.recall});
    }
    lists_.find(asked);
  }

  /// Reads all that must be read before a job may run on another thread.
  void prepare(Job& job) {
    const PlannedRetriever& retriever = *job.retriever;
    if (retriever.similarity != Similarity::vectors) return;
    VectorQuery& query = job.vector_query;
    query.vector = vector_of(job.question);
    query.k = looked_at(job);
    query.allowed = allowed(retriever);
    set_recall(query, *retriever.group);
    if (lists_.keeps(job.number)) query.k = lists_.longest(job.number);
    if (kb_.remote && !retriever.group->remote.empty()) job.target = target(query, *retriever.group);
    ++query.k;  // one more than is wanted, to see whether the last is tied
    query.pool = query.probes = std::max(query.pool, query.k);
  }

  RemoteVectors::Target target(const VectorQuery& query, const GroupSnapshot& group) const {
    auto target = kb_.remote->target(kb_.store, rows_.reading(), group, stop_);
    const auto measured =
        kb_.recall.find_store(rows_.reading(), group, kb_.remote->measured_as(target.collection, group));
    kb_.remote->set_candidates(target, measured.get(), query.k, plan_.recall, query.allowed != nullptr);
    return target;
  }

  /// How far walks go: by what was measured here, else a pool that is large for most texts.
  void set_recall(VectorQuery& query, const GroupSnapshot& group) const {
    constexpr std::size_t kPoolUnmeasured = 128;
    const auto measured = kb_.recall.find(rows_.reading(), group);
    const auto pool = measured ? measured->pool(query.k, plan_.recall, query.allowed != nullptr)
                               : std::optional(std::max(kPoolUnmeasured, 2 * query.k));
    query.exact = plan_.recall >= 1 || !pool;
    query.pool = query.probes = pool.value_or(query.k);
  }

  /// Small searches are over before a thread has begun; and phrases are looked up in the one reading.
  std::size_t threads() const {
    std::uint64_t nodes = 0;
    for (const Job& job : jobs_) {
      nodes += job.retriever->group->statistics.nodes;
      if (questions_[job.question].words.has_phrases()) return 1;
    }
    return nodes < kNodesWorthAThread ? 1 : thread_count(kb_.settings.threads);
  }

  static const DocumentSet* allowed(const PlannedRetriever& retriever) {
    return retriever.filtered ? &retriever.filtered->documents : nullptr;
  }

  std::size_t looked_at(const Job& job) const {
    const bool conditions = questions_[job.question].words.has_conditions();
    return conditions ? std::max(kConditionedDepth, job.retriever->depth) : job.retriever->depth;
  }

  // ---- one list; on any thread ----

  void find(Job& job) {
    job.began = Trace::Clock::now();
    switch (job.retriever->similarity) {
      case Similarity::words:
        by_words(job);
        break;
      case Similarity::vectors:
        by_meaning(job);
        break;
      case Similarity::own:
        by_own_index(job);
        break;
    }
    job.took = Trace::Clock::now() - job.began;
  }

  void by_words(Job& job) const {
    const WordQuery& asked = questions_[job.question].words;
    const GroupSnapshot& group = *job.retriever->group;
    const Filtered* const filtered = job.retriever->filtered.get();
    Bm25Conditions conditions;
    conditions.allowed = allowed(*job.retriever);
    conditions.required = asked.required;
    conditions.excluded = asked.excluded;
    if (asked.has_phrases() || (filtered != nullptr && filtered->nodes)) {
      conditions.accept = [&](NodeNumber node) {
        if (filtered != nullptr && !filtered->accepts(node, group)) return false;
        if (!asked.has_phrases()) return true;
        const NodeRow* row = rows_.find(node);
        return row != nullptr && asked.phrases_fit(text_of(rows_.reading(), *row));
      };
    }
    const auto inputs = group.word_inputs();
    const Bm25Parameters parameters{kb_.settings.bm25_k1, kb_.settings.bm25_b};
    Bm25Counts counts{group.statistics, {}};
    if (lists_.keeps(job.number)) counts.frequencies = document_frequencies(inputs, asked.terms);
    const auto score = [&](std::span<const NodeNumber> nodes) {
      return score_bm25(inputs, asked.terms, group.statistics, parameters, nodes, conditions);
    };
    const auto border = [&](const CachedList& list) {
      return most_after(list.border, asked.terms, list.counts, counts, parameters);
    };
    if (bring_up_to_date(job, counts, border, score)) return;
    const std::size_t wanted = lists_.keeps(job.number) ? lists_.longest(job.number) : job.retriever->depth;
    job.scored = search_bm25(inputs, asked.terms, group.statistics, parameters, wanted, conditions);
    keep(job, wanted, std::move(counts));
  }

  /// From a list that the cache has. @return whether there was one, and it could be.
  bool bring_up_to_date(Job& job, const Bm25Counts& counts,
                        const std::function<double(const CachedList&)>& border,
                        const std::function<std::vector<Scored>(std::span<const NodeNumber>)>& score) const {
    const CachedList* const known = lists_.known(job.number);
    if (known == nullptr) return false;
    if (lists_.is_of_this_commit(job.number)) {
      job.list = *known;
      job.cache = "hit";
    } else {
      ListUpdate update = lists_.update(job.number);
      update.border = std::isinf(known->border) ? known->border : border(*known);
      update.counts = counts;
      update.score = score;
      job.list = updated(*known, std::move(update));
      if (!job.list) return false;
      job.cache = "updated";
    }
    for (const CachedList::Place& place : job.list->places) job.scored.push_back({place.node, place.score});
    return true;
  }

  void keep(Job& job, std::size_t wanted, Bm25Counts counts) const {
    if (!lists_.keeps(job.number)) return;
    job.list = lists_.made(job.number, job.scored, wanted, std::move(counts));
    job.cache = "miss";
  }

  void by_meaning(Job& job) const {
    const GroupSnapshot& group = *job.retriever->group;
    const Filtered* const filtered = job.retriever->filtered.get();
    const std::string& fingerprint = group.fingerprint();
    VectorQuery& query = job.vector_query;
    query.threads = jobs_.size() > 1 && threads() > 1 ? 1 : thread_count(kb_.settings.threads);
    const auto full = kb_.store.vectors(fingerprint);
    query.read = [&](std::uint64_t row, std::span<float> to) {
      copy_vector(kb_.store.read_vector(fingerprint, row), to);
    };
    query.fetch = [&](std::uint64_t row) { kb_.store.fetch_vector(fingerprint, row); };
    query.fetch_all = [&](std::span<const std::uint64_t> rows) {
      kb_.store.fetch_vectors(fingerprint, rows);
    };
    auto inputs = filtered == nullptr ? group.vector_inputs() : filtered->vector_inputs(group);
    const bool is_evidence = job.question == 0 || plan_.fusion.fusion == Fusion::calibrated;
    if (is_evidence) job.moments = sample_scores(inputs, query, full);
    const auto score = [&](std::span<const NodeNumber> nodes) {
      return score_vectors(inputs, query, nodes, full);
    };
    if (bring_up_to_date(
            job, {}, [](const CachedList& list) { return list.border; }, score))
      return;
    if (job.target) {  // else the settings no longer name the store: the next ingest brings all back
      job.found =
          kb_.remote->find(*job.target, group, query.vector, query.k, filtered, job.retriever->filter, stop_);
      for (std::size_t i = 0; i < job.found->passed_over.size(); ++i) {
        inputs[i].deleted = Tombstones(job.found->passed_over[i]);
      }
    }
    VectorAnswer answer = search_vectors(inputs, query, full);
    while (is_cut_within_a_tie(answer.best, job)) {
      query.k *= 2;
      query.pool = query.probes = std::max(query.pool, query.k);
      answer = search_vectors(inputs, query, full);
    }
    job.scored = std::move(answer.best);
    job.plans = std::move(answer.plans);
    keep(job, query.k, {});
  }

  /// Ties go by id, and the index knows numbers alone: all that are equal to the last are needed.
  bool is_cut_within_a_tie(const std::vector<Scored>& best, const Job& job) const {
    const std::size_t n = looked_at(job);
    return n > 0 && best.size() > n && best.size() == job.vector_query.k &&
           best.back().score == best[n - 1].score;
  }

  void by_own_index(Job& job) {
    IndexQuery query;
    query.text = questions_[job.question].words.plain;
    query.vector = [this, &job] {
      if (!job.retriever->group->has_vectors()) return std::span<const float>{};
      check_fingerprint(*job.retriever->group);
      return vector_of(job.question);
    };
    query.k = looked_at(job);
    query.stop = stop_;
    job.ranked = job.retriever->index->query(std::move(query), job.retriever->filtered.get());
  }

  // ---- after the lists ----

  RankedList list_of(Job& job) {
    const PlannedRetriever& retriever = *job.retriever;
    const RelevanceEvidence evidence = evidence_of(job);
    if (evidence.best_cosine && job.question == 0 && !found_.evidence.best_cosine) found_.evidence = evidence;
    RankedList list;
    list.hits = ranked(job);
    list.weight = retriever.asked.weight * questions_[job.question].weight;
    list.priority = retriever.asked.priority;
    list.floor = floor_of(job, list);
    const std::size_t found = list.hits.size();
    if (retriever.asked.cut_off) {
      std::erase_if(list.hits, [&](const Ranked& hit) { return !(hit.score >= *retriever.asked.cut_off); });
    }
    if (plan_.fusion.fusion == Fusion::calibrated) calibrate(list, job, evidence);
    if (trace_ != nullptr) record(job, list, found);
    return list;
  }

  RelevanceEvidence evidence_of(const Job& job) const {
    RelevanceEvidence evidence;
    if (job.retriever->similarity != Similarity::vectors) return evidence;
    evidence.corpus = job.moments;
    evidence.unrelated = unrelated_;
    if (!job.scored.empty()) evidence.best_cosine = job.scored.front().score;
    return evidence;
  }

  std::vector<Ranked> ranked(Job& job) {
    const bool by_words = job.retriever->similarity == Similarity::words;
    const Question& question = questions_[job.question];
    std::vector<Ranked> list = with_ids(job);
    const std::vector<const NodeRow*> known = rows_.of_hits(job.ranked);
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i] != nullptr) list.push_back(job.ranked[i]);
    }
    if (!by_words && question.words.has_conditions()) list = fitting(list, question);
    sort_ranked(list);
    list.resize(std::min(list.size(), job.retriever->depth));
    return list;
  }

  std::vector<Ranked> fitting(const std::vector<Ranked>& list, const Question& question) {
    const std::vector<std::string> texts = texts_of(rows_.reading(), rows_.of_hits(list));
    std::vector<Ranked> fits;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (question.fits(texts[i])) fits.push_back(list[i]);
    }
    return fits;
  }

  /// What a built-in similarity found, as far down as is needed, with the ids that break ties. Those that a
  /// list from the cache knows are not read, and it learns the others.
  std::vector<Ranked> with_ids(Job& job) {
    std::size_t needed = std::min(job.scored.size(), looked_at(job));
    while (needed > 0 && needed < job.scored.size() &&
           job.scored[needed].score == job.scored[needed - 1].score)
      ++needed;
    std::vector<NodeNumber> unknown;
    for (std::size_t i = 0; i < needed; ++i) {
      if (!job.list || job.list->places[i].id == Id()) unknown.push_back(job.scored[i].node);
    }
    rows_.load(unknown);
    std::vector<Ranked> list;
    for (std::size_t i = 0; i < needed; ++i) {
      const auto [node, score] = job.scored[i];
      if (job.list && job.list->places[i].id != Id()) {
        list.push_back({node, job.list->places[i].id, score});
      } else if (const NodeRow* row = rows_.find(node)) {
        list.push_back({node, row->id, score});
        if (job.list) job.list->places[i].id = row->id;
      }
    }
    if (job.list && (job.cache != "hit" || !unknown.empty())) lists_.put(job.number, *job.list);
    return list;
  }

  /// What a passage that has nothing to do with the question scores.
  double floor_of(const Job& job, const RankedList& list) const {
    switch (job.retriever->similarity) {
      case Similarity::words:
        return 0;
      case Similarity::vectors:
        return unrelated_.count > 0 ? unrelated_.sum / static_cast<double>(unrelated_.count) : 0;
      case Similarity::own:
        break;
    }
    return list.hits.empty() ? 0 : list.hits.back().score;
  }

  void calibrate(RankedList& list, const Job& job, const RelevanceEvidence& evidence) const {
    const Similarity similarity = job.retriever->similarity;
    const double attainable = similarity == Similarity::words ? attainable_of(job) : 0;
    for (Ranked& hit : list.hits) {
      hit.score = similarity == Similarity::words     ? calibrated_bm25(hit.score, attainable)
                  : similarity == Similarity::vectors ? calibrated_cosine(hit.score, evidence)
                                                      : calibrated_own(hit.score);
    }
    sort_ranked(list.hits);  // where the ends of the scale made scores equal
  }

  double attainable_of(const Job& job) const {
    const GroupSnapshot& group = *job.retriever->group;
    const auto frequencies = document_frequencies(group.word_inputs(), questions_[job.question].words.terms);
    return attainable_bm25(frequencies, group.statistics.nodes);
  }

  void record(const Job& job, const RankedList& list, std::size_t found) const {
    Notes notes{{"hits", std::to_string(found)}, {"group", job.retriever->group->row.name}};
    const auto note = [&](std::string_view key, std::string value) {
      notes.emplace_back(key, std::move(value));
    };
    if (!job.cache.empty()) note("cache", std::string(job.cache));
    if (questions_.size() > 1) note("question", std::to_string(job.question + 1));
    if (list.weight != 1) note("weight", fmt::format("{}", list.weight));
    if (found != list.hits.size()) note("above_cut_off", std::to_string(list.hits.size()));
    std::string_view name = "search.bm25";
    if (job.retriever->similarity == Similarity::vectors) {
      name = "search.vectors";
      explain(notes, job.plans);
      if (job.found) explain(notes, *job.target, *job.found, *kb_.remote);
    } else if (job.retriever->similarity == Similarity::own) {
      name = "search.index";
      note("index", job.retriever->index->name());
    }
    trace_->add(name, job.began, job.took, 0, std::move(notes));
  }

  KnowledgeBase& kb_;
  const SearchPlan& plan_;
  std::span<const Question> questions_;
  NodeRows& rows_;
  Trace* trace_;
  std::stop_token stop_;
  std::string embedder_;
  ScoreMoments unrelated_;
  std::vector<LazyVector> vectors_;
  SearchLists lists_;
  std::vector<Job> jobs_;
  Retrieved found_;
};

}  // namespace

Question::Question(std::string_view asked, double counts, bool operators)
    : text(asked), weight(counts), operated(operators) {
  if (operators) {
    words = WordQuery::parse(asked);
  } else {
    words.plain = asked;
    words.terms = term_texts(asked);
  }
}

bool Question::fits(std::string_view passage) const {
  const auto cut = term_texts(passage);
  const std::set<std::string_view> held(cut.begin(), cut.end());
  const auto stands = [&](const std::string& term) { return held.contains(term); };
  return std::ranges::all_of(words.required, stands) && std::ranges::none_of(words.excluded, stands) &&
         words.phrases_fit(passage);
}

Retrieved retrieve(KnowledgeBase& kb, const SearchPlan& plan, std::span<const Question> questions,
                   NodeRows& rows, Trace* trace, std::stop_token stop) {
  return Retrieving(kb, plan, questions, rows, trace, std::move(stop)).run();
}

}  // namespace hasten
