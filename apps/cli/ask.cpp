// ask and chat: questions that are answered from the documents.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <random>
#include <stop_token>

#include "base/files.hpp"
#include "output.hpp"
#include "retrieval_options.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

constexpr std::uint64_t kPromptBytesMax = std::uint64_t{1} << 20;

struct AskArguments {
  std::string question;
  RetrievalArguments retrieval;
  std::filesystem::path prompt;
  AskOptions options;
  bool trace = false;
  std::stop_token stop;
};

/// Where a session is not kept, or ends with the program, that is said.
/// @param named  for others to go on with.
void note_session(const Context& context, bool named) {
  const CacheSettings cache = context.settings().cache;
  if (!cache.sessions.on || cache.type == "none") {
    context.notes(std::vector<std::string>{"the cache of sessions is off: nothing of this one is kept"});
  } else if (named && cache.type == "memory") {
    context.notes(std::vector<std::string>{
        "the session ends with this program; [cache] type = \"redis\" keeps it for others"});
  }
}

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
  return {
      {"ttft_ms", first_ms.value_or(total_ms)},  // from the start of the process, or of its turn in a chat
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
        fmt::format("[{}] {}:{}-{}{}", c.number, c.path, c.span.from, c.span.to, page_words(c.page));
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

/// @param trace  has begun with the question.
void answer(Context& context, const Document& document, const AskArguments& arguments, Trace& trace,
            Trace::Clock::time_point asked) {
  TokenPrinter tokens(context.options.json, asked);
  const Answer answer =
      document.ask(arguments.question, arguments.options, std::ref(tokens), &trace, arguments.stop);
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
}

/// What the flags say, in the options.
void complete(AskArguments& arguments) {
  arguments.options.search = arguments.retrieval.parsed();
  if (!arguments.prompt.empty()) arguments.options.prompt = read_file(arguments.prompt, kPromptBytesMax);
}

Exit ask(Context& context, AskArguments arguments) {
  Trace trace(context.origin);
  context.add_process_start(trace);
  complete(arguments);
  const Document document = context.open(Document::Access::read);
  arguments.stop = context.interrupts.token();
  answer(context, document, arguments, trace, context.origin);
  if (!arguments.options.session.empty()) note_session(context, true);
  return Exit::done;
}

/// Ctrl-C ends it at once: nothing is written but to the cache.
Exit chat(Context& context, AskArguments arguments) {
  complete(arguments);
  const Document document = context.open(Document::Access::read);
  const bool resumed = !arguments.options.session.empty();
  note_session(context, resumed);
  if (!resumed)
    arguments.options.session = fmt::format("{:08x}{:08x}", std::random_device()(), std::random_device()());
  const bool at_a_terminal =
      ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0 && !context.options.json;
  Exit exit = Exit::done;
  while (true) {
    if (at_a_terminal) print("> ");
    flush_output();
    if (!std::getline(std::cin, arguments.question)) break;
    if (arguments.question.find_first_not_of(" \t\r") == std::string::npos) continue;
    Trace trace;
    try {
      answer(context, document, arguments, trace, Trace::Clock::now());
    } catch (const Error& error) {  // the next question may fare better
      if (context.options.json) print_json({{"error", to_string(error.code())}, {"message", error.what()}});
      print_error(error.code(), error.what());
      exit = Exit::failed;
    }
    if (!context.options.json) print_line("");
  }
  if (at_a_terminal) print_line("");
  return exit;
}

void add_ask_options(CLI::App& app, AskArguments& a) {
  app.add_option("--generator", a.options.generator, "what writes the answer")
      ->type_name("NAME|FILE.gguf|URL|extractive");
  app.add_option("--max-tokens", a.options.max_tokens, "the longest answer")
      ->type_name("N")
      ->check(at_least_one())
      ->capture_default_str();
  app.add_option("--temperature", a.options.temperature, "0: always the likeliest word")
      ->type_name("T")
      ->check(at_least_zero())
      ->capture_default_str();
  app.add_option("--prompt", a.prompt, "a template with {context} and {question}")->type_name("FILE");
  app.add_option("--session", a.options.session,
                 "a conversation: what was said under this name in the last day is gone on from")
      ->type_name("NAME");
  add_retrieval_options(app, a.retrieval, "6");
  add_rerank_options(app, a.retrieval.options.reranker, a.retrieval.options.rerank_top_k);
  app.add_flag("--trace", a.trace, "show where the time went");
}

}  // namespace

Action define_ask(CLI::App& app) {
  auto a = std::make_shared<AskArguments>();
  app.add_option("QUESTION", a->question, "what to answer")->required();
  add_ask_options(app, *a);
  return [a](Context& context) { return ask(context, *a); };
}

Action define_chat(CLI::App& app) {
  auto a = std::make_shared<AskArguments>();
  add_ask_options(app, *a);
  return [a](Context& context) { return chat(context, *a); };
}

}  // namespace hasten::cli
