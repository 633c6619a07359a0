// search and ask: what a question is answered with.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <sstream>

#include "base/files.hpp"
#include "output.hpp"
#include "retrieval_options.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

constexpr std::size_t kColumnsOfPlainOutput = 160;
constexpr std::uint64_t kPromptBytesMax = std::uint64_t{1} << 20;

std::size_t output_columns() {
  const int columns = terminal_columns(STDOUT_FILENO);
  return columns > 20 ? static_cast<std::size_t>(columns) : kColumnsOfPlainOutput;
}

std::string page_of(const std::optional<std::uint64_t>& page) {
  return page ? fmt::format(" (page {})", *page) : "";
}

// ---- search ----

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
                                 style.cyan(snippet(hit.path, columns)), page_of(hit.page));
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

// ---- ask ----

struct AskArguments {
  std::string question;
  RetrievalArguments retrieval;
  std::filesystem::path prompt;
  AskOptions options;
  bool trace = false;
};

/// Prints the answer while it is written, and remembers when it began.
class TokenPrinter {
 public:
  TokenPrinter(bool json, Trace::Clock::time_point origin) : json_(json), origin_(origin) {}

  void operator()(std::string_view piece) {
    if (!first_ms_)
      first_ms_ = std::chrono::duration<double, std::milli>(Trace::Clock::now() - origin_).count();
    written_ += piece;
    if (json_)
      print_json({{"token", piece}});
    else
      print(piece);
    flush_output();
  }
  std::optional<double> first_ms() const { return first_ms_; }
  const std::string& written() const { return written_; }

 private:
  bool json_;
  Trace::Clock::time_point origin_;
  std::optional<double> first_ms_;
  std::string written_;
};

Json metrics_json(const Answer& answer, std::optional<double> first_ms, double total_ms) {
  return {{"ttft_ms", first_ms.value_or(total_ms)},  // from the start of the process
          {"tpot_ms", answer.metrics.tpot_ms},
          {"tokens", answer.metrics.tokens},
          {"prompt_tokens", answer.metrics.prompt_tokens},
          {"total_ms", total_ms},
          {"generator_ttft_ms", answer.metrics.ttft_ms},  // from the generator's call
          {"finish_reason", answer.metrics.finish_reason}};
}

Json answer_json(const Answer& answer, Json metrics, Json trace) {
  Json citations = Json::array(), hits = Json::array();
  for (const Citation& citation : answer.citations) citations.push_back(to_json(citation));
  for (const Hit& hit : answer.hits) hits.push_back(to_json(hit));
  return {{"answer", answer.text},
          {"found", answer.found},
          {"matched_question", answer.matched_question},
          {"citations", std::move(citations)},
          {"relevance", answer.relevance},
          {"generator", answer.generator},
          {"metrics", std::move(metrics)},
          {"hits", std::move(hits)},
          {"notices", answer.notices},
          {"trace", std::move(trace)}};
}

void print_citations(const Answer& answer) {
  const Style style = Style::of(STDOUT_FILENO);
  if (!answer.citations.empty()) print_line("");
  for (const Citation& c : answer.citations) {
    const std::string place =
        fmt::format("[{}] {}:{}-{}{}", c.number, c.path, c.span.from, c.span.to, page_of(c.page));
    const std::size_t columns = output_columns(), used = display_width(place) + 4;
    print_line(fmt::format("{}  “{}”", style.cyan(place),
                           snippet(c.text, used + 20 < columns ? columns - used : 20)));
  }
}

/// The answer as it stands at the end; what was streamed already is not repeated.
void print_answer(const Answer& answer, const std::string& streamed) {
  const bool complete = !streamed.empty() && streamed == answer.text;
  if (!streamed.empty()) print("\n");
  if (!complete) print_line((streamed.empty() ? "" : "\n") + answer.text);
  print_citations(answer);
}

Exit ask(Context& context, AskArguments arguments) {
  Trace trace(context.origin);
  context.add_process_start(trace);
  arguments.options.search = arguments.retrieval.parsed();
  if (!arguments.prompt.empty()) arguments.options.prompt = read_file(arguments.prompt, kPromptBytesMax);
  const Document document = context.open(Document::Access::read);
  TokenPrinter tokens(context.options.json, context.origin);
  const Answer answer = document.ask(arguments.question, arguments.options, std::ref(tokens), &trace,
                                     context.interrupts.token());
  const double total_ms = trace.elapsed_ms();
  if (context.options.json) {
    print_json(answer_json(answer, metrics_json(answer, tokens.first_ms(), total_ms),
                           arguments.trace ? to_json(trace.stages()) : Json::array()));
  } else {
    print_answer(answer, tokens.written());
    flush_output();
    if (arguments.trace) print_trace(trace.stages());
  }
  context.notes(answer.notices);
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

Action define_ask(CLI::App& app) {
  auto a = std::make_shared<AskArguments>();
  app.add_option("QUESTION", a->question, "what to answer")->required();
  app.add_option("--generator", a->options.generator, "what writes the answer")
      ->type_name("NAME|FILE.gguf|URL|extractive");
  app.add_option("--max-tokens", a->options.max_tokens, "the longest answer")
      ->type_name("N")
      ->check(at_least_one())
      ->capture_default_str();
  app.add_option("--temperature", a->options.temperature, "0: always the likeliest word")
      ->type_name("T")
      ->check(at_least_zero())
      ->capture_default_str();
  app.add_option("--prompt", a->prompt, "a template with {context} and {question}")->type_name("FILE");
  add_retrieval_options(app, a->retrieval, "6");
  add_rerank_options(app, a->retrieval.options.reranker, a->retrieval.options.rerank_top_k);
  app.add_flag("--trace", a->trace, "show where the time went");
  return [a](Context& context) { return ask(context, *a); };
}

}  // namespace hasten::cli
