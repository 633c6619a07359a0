// search: the passages that a question is about.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <sstream>

#include "output.hpp"
#include "retrieval_options.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

struct SearchArguments {
  std::string query;
  RetrievalArguments retrieval;
  bool explain = false;
  bool trace = false;
};

constexpr std::string_view kPlan = "plan";  // a note of several lines: how a filter was answered

std::string heading_of(const Metadata& metadata) {
  for (const std::string_view key : {"heading", "title"}) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) continue;
    if (const auto* text = std::get_if<std::string>(&found->second)) return *text;
  }
  return "";
}

/// "(rank 7, 0.0154 before)"
std::string before_reranking(const Hit& hit) {
  if (!hit.first_stage) return "";
  return fmt::format("  (rank {}, {:.4f} before)", hit.first_stage->rank, hit.first_stage->score);
}

void print_hit(const Hit& hit, std::size_t rank, std::size_t rank_columns, bool explain, const Style& style) {
  const std::size_t columns = output_columns();
  const std::string number = fmt::format("{:>{}}", rank, rank_columns);
  std::string line = fmt::format("{}  {:.4f}  {}{}", number, hit.score,
                                 style.cyan(snippet(hit.path, columns)), page_words(hit.page));
  const std::string heading = heading_of(hit.node.metadata);
  if (!heading.empty()) line += "  " + style.bold(snippet(heading, columns / 2));
  if (explain) line += before_reranking(hit);
  print_line(line);
  const std::size_t indent = rank_columns + 2;
  print_line(std::string(indent, ' ') + snippet(hit.node.text, columns - indent));
}

std::string notes_of(const Stage& stage) {
  std::string text;
  for (const auto& [key, value] : stage.notes) {
    if (key != kPlan) text += fmt::format("  {}={}", key, value);
  }
  return text;
}

/// The lines of a stage's plan, indented below it.
void print_plan(const Stage& stage) {
  for (const auto& [key, value] : stage.notes) {
    if (key != kPlan) continue;
    std::istringstream lines(value);
    for (std::string line; std::getline(lines, line);) print_line("    " + line);
  }
}

/// What was asked for, by the flags and by the settings under them.
struct Asked {
  std::string mode, group, filter;
  std::string fusion;
  std::size_t top_k;
};

Asked asked_for(const RetrievalArguments& flags, const Settings& settings) {
  const SearchOptions& defaults = settings.search;
  const bool own = !flags.retrievers.empty() || (flags.mode.empty() && !defaults.retrievers.empty());
  const std::string mode(to_string(defaults.mode.value_or(Mode::hybrid)));
  return {
      own                  ? "retrievers"
      : flags.mode.empty() ? mode
                           : flags.mode,
      flags.options.group.empty() ? settings.group : flags.options.group, flags.filter,
      flags.fusion.empty() ? std::string(to_string(defaults.fusion.value_or(kDefaultFusion))) : flags.fusion,
      flags.options.top_k.value_or(defaults.top_k.value_or(10))};
}

/// What was searched, how, and how much of it was looked at.
Json explanation(const Asked& asked, const SearchResult& result, const std::vector<Stage>& stages) {
  Json looked_at = Json::array();
  for (const Stage& stage : stages) {
    if (stage.notes.empty()) continue;
    Json notes = Json::object();
    for (const auto& [key, value] : stage.notes) notes[key] = value;
    looked_at.push_back({{"stage", stage.name}, {"notes", std::move(notes)}});
  }
  return {{"mode", asked.mode},
          {"group", asked.group},
          {"filter", asked.filter},
          {"fusion", asked.fusion},
          {"top_k", asked.top_k},
          {"relevance", result.relevance ? Json(*result.relevance) : Json(nullptr)},
          {"stages", std::move(looked_at)}};
}

void print_explanation(const Asked& asked, const SearchResult& result, const std::vector<Stage>& stages) {
  print_line(fmt::format("mode {}, group {}, filter {}, top {}{}", asked.mode, asked.group,
                         asked.filter.empty() ? "none" : asked.filter, asked.top_k,
                         result.relevance ? fmt::format(", relevance {:.2f}", *result.relevance) : ""));
  for (const Stage& stage : stages) {
    if (stage.notes.empty()) continue;
    print_line(fmt::format("  {}{}", padded(stage.name, 24), notes_of(stage)));
    print_plan(stage);
  }
  print_line("");
}

Exit search(Context& context, SearchArguments arguments) {
  Trace trace(context.origin);
  context.add_process_start(trace);
  const Settings settings = context.settings();
  const Document document = Document::open(context.options.kb, settings, Document::Access::read);
  SearchOptions options = arguments.retrieval.parsed();
  options.operators = true;
  const SearchResult result = document.search(arguments.query, options, &trace, context.interrupts.token());
  context.notes(result.notices);
  const std::vector<Stage> stages = trace.stages();
  const Asked asked = asked_for(arguments.retrieval, settings);
  if (context.options.json) {
    Json hits = Json::array();
    for (const Hit& hit : result.hits) hits.push_back(to_json(hit));
    Json object = {{"hits", std::move(hits)},
                   {"relevance", result.relevance ? Json(*result.relevance) : Json(nullptr)},
                   {"notices", result.notices}};
    if (arguments.explain) object["explain"] = explanation(asked, result, stages);
    object["trace"] = arguments.trace ? to_json(stages) : Json::array();
    print_json(object);
    return Exit::done;
  }
  if (arguments.explain) print_explanation(asked, result, stages);
  const Style style = Style::of(STDOUT_FILENO);
  const std::size_t rank_columns = std::to_string(result.hits.size()).size();
  for (std::size_t i = 0; i < result.hits.size(); ++i)
    print_hit(result.hits[i], i + 1, rank_columns, arguments.explain, style);
  if (result.hits.empty()) context.notes(std::vector<std::string>{"nothing found"});
  if (arguments.trace) print_trace(stages);
  return Exit::done;
}

}  // namespace

Action define_search(CLI::App& app) {
  auto a = std::make_shared<SearchArguments>();
  app.add_option("QUERY", a->query,
                 "what to look for; +word and \"a phrase\" must stand in a passage, -word must not")
      ->required();
  add_retrieval_options(app, a->retrieval, "10");
  add_rerank_options(app, a->retrieval.options.reranker, a->retrieval.options.rerank_top_k);
  app.add_flag("--explain", a->explain, "say what was searched, and how much was looked at");
  app.add_flag("--trace", a->trace, "show where the time went");
  return [a](Context& context) { return search(context, *a); };
}

}  // namespace hasten::cli
