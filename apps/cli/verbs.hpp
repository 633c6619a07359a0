#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "exits.hpp"
#include "hasten/document.hpp"
#include "interrupts.hpp"
#include "options.hpp"

namespace hasten::cli {

/// What a verb is given to work with.
struct Context {
  Options options;
  Trace::Clock::time_point origin;     ///< the start of the process: zero of every trace
  Trace::Clock::duration before_main;  ///< CPU time that loading the program took
  Interrupts& interrupts;

  Settings settings() const { return settings_of(options); }
  Document open(Document::Access access) const { return Document::open(options.kb, settings(), access); }
  /// The first span of a trace whose zero is `origin`: what loading the program took.
  void add_process_start(Trace& trace) const { trace.add("process.start", origin, before_main); }
  void notes(std::span<const std::string> messages) const;  ///< lines on stderr, unless --quiet
};

/// Runs a verb whose options are parsed.
using Action = std::function<Exit(Context&)>;

/// One row of the list of verbs.
struct Verb {
  std::string_view name;  ///< "model list": a word of a family
  std::string_view help;  ///< one line
  std::string_view description;
  std::vector<std::string_view> examples;
  Action (*define)(CLI::App& app);  ///< adds its options; what runs it owns them
};

/// Every verb, in the order of a knowledge base's life.
std::span<const Verb> verbs();

Action define_ingest(CLI::App& app);
Action define_remove(CLI::App& app);
Action define_status(CLI::App& app);
Action define_verify(CLI::App& app);
Action define_compact(CLI::App& app);
Action define_backup(CLI::App& app);
Action define_restore(CLI::App& app);
Action define_migrate(CLI::App& app);
Action define_search(CLI::App& app);
Action define_ask(CLI::App& app);
Action define_chat(CLI::App& app);
Action define_read(CLI::App& app);
Action define_split(CLI::App& app);
Action define_embed(CLI::App& app);
Action define_eval(CLI::App& app);
Action define_tune(CLI::App& app);
Action define_model_list(CLI::App& app);
Action define_model_install(CLI::App& app);
Action define_model_import(CLI::App& app);

}  // namespace hasten::cli
