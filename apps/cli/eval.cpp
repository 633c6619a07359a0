// eval: how good retrieval is on a test set with judged questions.
#include <fmt/format.h>

#include <memory>
#include <unordered_set>

#include "base/hashing.hpp"
#include "dataset.hpp"
#include "hasten/models.hpp"
#include "metrics.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "text/words.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNodesPerDocument = 5;  // chunks looked at for each document of the ranking

struct EvalArguments {
  fs::path dataset;
  std::string mode = "hybrid";
  std::string group = "root";
  std::string embedder;
  std::size_t top_k = 0;  ///< 0: enough for ten documents
  std::string reranker;
  std::size_t rerank_top_k = 0;
  std::size_t sample = 0;  ///< questions asked, spread over all; 0: all
  fs::path queries, qrels;
};

std::vector<Mode> modes_of(const std::string& word) {
  if (word == "all") return {Mode::hybrid, Mode::vector, Mode::bm25};
  return {mode_from_string(word)};
}

/// The knowledge base of a corpus is kept under a name of all that it is made from.
fs::path cached_folder(const fs::path& corpus, const Settings& settings, const OnProgress& progress) {
  std::string made_from = sha256_file(corpus) + "\n" + settings.group + "\n" +
                          ModelStore().fingerprint(settings.embedder, progress);
  for (const GroupSettings& g : settings.groups)
    made_from += fmt::format("\n{} {} {} {} {}", g.name, g.parent, g.splitter, g.chunk_size, g.chunk_overlap);
  return home_folder() / "eval" / (sha256_hex(made_from).substr(0, 16) + ".hasten");
}

/// Opens the corpus's knowledge base; makes or completes it first where that is needed.
Document open_corpus(Context& context, const fs::path& corpus, const Settings& settings, bool vectors,
                     Meter& meter) {
  const fs::path folder = cached_folder(corpus, settings, meter.callback());
  fs::create_directories(folder.parent_path());
  const std::vector<TextDocument> documents = load_corpus(corpus);
  if (documents.empty()) throw Error(Code::empty, fmt::format("{} has no documents", corpus.string()));
  Document document = Document::open(folder, settings, Document::Access::write);
  IngestOptions options;
  options.embed = vectors;
  options.groups = {settings.group};
  context.notes(document.add(documents, options, meter.callback(), context.interrupts.token()).notices);
  meter.clear();
  return document;
}

/// The documents of the hits, each at its best node.
std::vector<std::string> ranked_documents(const std::vector<Hit>& hits) {
  std::vector<std::string> ranked;
  std::unordered_set<std::string_view> seen;
  for (const Hit& hit : hits)
    if (seen.insert(hit.path).second) ranked.push_back(hit.path);
  return ranked;
}

/// What a search answers to a data set's question; one without words finds nothing.
std::vector<std::string> answer_to(const Document& document, const std::string& question,
                                   const SearchOptions& options, std::stop_token stop) {
  const bool blank = question.find_first_not_of(" \t\r\n") == std::string::npos;
  if (blank || (options.mode == Mode::bm25 && terms(question).empty())) return {};
  return ranked_documents(document.search(question, options, nullptr, std::move(stop)).hits);
}

RetrievalScore evaluate(const Document& document, const std::vector<JudgedQuery>& queries,
                        const SearchOptions& options, Meter& meter, std::stop_token stop) {
  RetrievalScorer scorer;
  const std::string stage = fmt::format("{} questions", to_string(options.mode.value_or(Mode::hybrid)));
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto began = Trace::Clock::now();
    const auto ranked = answer_to(document, queries[i].text, options, stop);
    const std::chrono::duration<double, std::milli> took = Trace::Clock::now() - began;
    scorer.add(ranked, queries[i].grades, took.count());
    meter.show({.stage = stage, .done = i + 1, .total = queries.size(), .unit = "questions"});
  }
  meter.clear();
  return scorer.score();
}

/// As many of the questions as are asked for, spread over all of them.
std::vector<JudgedQuery> sampled(const std::vector<JudgedQuery>& all, std::size_t n) {
  if (n == 0 || n >= all.size()) return all;
  std::vector<JudgedQuery> some;
  for (std::size_t i = 0; i < n; ++i) some.push_back(all[i * all.size() / n]);
  return some;
}

Json to_json(const RetrievalScore& s) {
  return {{"ndcg@10", s.ndcg},    {"recall@10", s.recall}, {"mrr@10", s.mrr},
          {"queries", s.queries}, {"p50_ms", s.p50_ms},    {"p99_ms", s.p99_ms}};
}

void print_table(const std::vector<std::pair<Mode, RetrievalScore>>& rows) {
  print_line("mode      ndcg@10  recall@10   mrr@10  queries    p50 ms    p99 ms");
  for (const auto& [mode, s] : rows)
    print_line(fmt::format("{:<8}  {:>7.4f}  {:>9.4f}  {:>7.4f}  {:>7}  {:>8.2f}  {:>8.2f}", to_string(mode),
                           s.ndcg, s.recall, s.mrr, s.queries, s.p50_ms, s.p99_ms));
}

void print_scores(const Context& context, const EvalArguments& arguments, const std::string& kb,
                  const std::vector<std::pair<Mode, RetrievalScore>>& rows) {
  if (!context.options.json) return print_table(rows);
  Json object = {{"dataset", arguments.dataset.string()}, {"group", arguments.group}, {"kb", kb}};
  if (!arguments.reranker.empty()) object["reranker"] = arguments.reranker;
  if (arguments.mode == "all") {
    object["modes"] = Json::object();
    for (const auto& [mode, score] : rows) object["modes"][std::string(to_string(mode))] = to_json(score);
  } else {
    object["mode"] = to_string(rows.front().first);
    object.update(to_json(rows.front().second));
  }
  print_json(object);
}

fs::path file_of(const EvalArguments& arguments, const fs::path& given, const char* name) {
  return given.empty() ? arguments.dataset / name : given;
}

Exit eval(Context& context, const EvalArguments& arguments) {
  const std::vector<Mode> modes = modes_of(arguments.mode);
  const bool vectors = arguments.mode != "bm25";
  Settings settings = context.settings();
  settings.group = arguments.group;
  settings.cache.type = "none";  // every question is to be searched for, in every mode
  if (!arguments.embedder.empty()) settings.embedder = arguments.embedder;
  if (settings.embedder.empty()) settings.embedder = kDefaultEmbedder;
  const std::vector<JudgedQuery> queries =
      sampled(load_queries(file_of(arguments, arguments.queries, "queries.jsonl"),
                           file_of(arguments, arguments.qrels, "qrels.tsv")),
              arguments.sample);
  Meter meter(context.options.quiet);
  const Document document =
      open_corpus(context, arguments.dataset / "corpus.jsonl", settings, vectors, meter);

  SearchOptions options;
  options.group = arguments.group;
  options.reranker = arguments.reranker;
  options.rerank_top_k = arguments.rerank_top_k;
  const std::size_t enough = RetrievalScorer::kDepth * (arguments.group == "root" ? 1 : kNodesPerDocument);
  options.top_k = arguments.top_k > 0 ? arguments.top_k : enough;
  std::vector<std::pair<Mode, RetrievalScore>> rows;
  for (const Mode mode : modes) {
    options.mode = mode;
    rows.emplace_back(mode, evaluate(document, queries, options, meter, context.interrupts.token()));
  }
  print_scores(context, arguments, document.status().folder, rows);
  return Exit::done;
}

}  // namespace

Action define_eval(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  app.add_option("DATASET_DIR", a->dataset, "a folder with corpus.jsonl, queries.jsonl, qrels.tsv")
      ->required();
  app.add_option("--mode", a->mode, "hybrid, vector, bm25 or all")
      ->type_name("MODE")
      ->check(checked_by([](const std::string& word) { modes_of(word); }))
      ->capture_default_str();
  app.add_option("--group", a->group, "the node group that is searched")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--top-k", a->top_k, "passages asked for; else enough for ten documents")
      ->type_name("N")
      ->check(at_least_one());
  add_rerank_options(app, a->reranker, a->rerank_top_k);
  app.add_option("--sample", a->sample, "ask only so many of the questions, spread over all")
      ->type_name("N")
      ->check(at_least_one());
  app.add_option("--embedder", a->embedder, "the embedding model")->type_name("NAME|FILE.gguf");
  app.add_option("--queries", a->queries, "other questions, joined by id")->type_name("FILE");
  app.add_option("--qrels", a->qrels, "other judgements")->type_name("FILE");
  return [a](Context& context) { return eval(context, *a); };
}

}  // namespace hasten::cli
