#include "command_line.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <sstream>

#include "base/nearest.hpp"
#include "hasten/error.hpp"
#include "hasten/version.hpp"

namespace hasten::cli {
namespace {

constexpr std::size_t kHelpColumns = 90;
constexpr std::size_t kOptionColumns = 32;
constexpr std::string_view kFamilyHelp = "a family of verbs; with --help it lists them";

std::string wrapped(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string lines, word;
  std::size_t used = 0;
  while (words >> word) {
    if (used > 0 && used + 1 + word.size() > kHelpColumns) {
      lines += '\n';
      used = 0;
    }
    if (used > 0) lines += ' ';
    used += word.size() + (used > 0 ? 1 : 0);
    lines += word;
  }
  return lines;
}

using VerbOf = std::map<const CLI::App*, const Verb*>;

/// Help with a verb's long description, the options of all verbs, and its examples.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter(const CLI::App& root, const VerbOf& verb_of) : root_(root), verb_of_(verb_of) {
    column_width(kOptionColumns);
  }
  std::string make_description(const CLI::App* app) const override {
    const auto verb = verb_of_.find(app);
    return wrapped(verb == verb_of_.end() ? app->get_description() : verb->second->description) + "\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    const auto verb = verb_of_.find(app);
    if (verb == verb_of_.end()) return "\nhasten VERB --help tells more, with examples.\n";
    std::string footer =
        make_group(kCommonGroup, false,
                   root_.get_options([](const CLI::Option* o) { return o->get_group() == kCommonGroup; }));
    footer += "\nExamples:\n";
    for (const std::string_view example : verb->second->examples) footer += fmt::format("  {}\n", example);
    return footer;
  }

 private:
  const CLI::App& root_;
  const VerbOf& verb_of_;
};

/// The verb as it is typed: "hasten model list".
std::string full_name(const CLI::App& app) {
  std::string name = "hasten";
  std::vector<std::string> words;
  for (const CLI::App* level = &app; level->get_parent() != nullptr; level = level->get_parent())
    words.push_back(level->get_name());
  for (auto word = words.rbegin(); word != words.rend(); ++word) name += " " + *word;
  return name;
}

/// The command line as CLI11 knows it: the verbs of the table under one root.
class Grammar {
 public:
  explicit Grammar(Options& options) {
    root_.require_subcommand(1);
    root_.formatter(std::make_shared<HelpFormatter>(root_, verb_of_));  // verbs take it over
    add_common_options(root_, options);
    root_.set_version_flag("--version", fmt::format("hasten {}", version()));
    for (const Verb& verb : verbs()) define(verb);
  }

  CLI::App& root() { return root_; }
  /// The verb or family that was named, as far down as it goes.
  const CLI::App& named() const {
    const CLI::App* app = &root_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
  }
  std::string help() const {
    const CLI::App& app = named();
    const std::string before = app.get_parent() == nullptr ? "" : full_name(*app.get_parent());
    return app.get_formatter()->make_help(
        &app, before.empty() ? app.get_name() : before + " " + app.get_name(), CLI::AppFormatMode::Normal);
  }
  Action action() const { return actions_.at(&named()); }

 private:
  void define(const Verb& verb) {
    const auto space = verb.name.find(' ');
    CLI::App* parent = space == verb.name.npos ? &root_ : family(verb.name.substr(0, space));
    const std::string word(verb.name.substr(space == verb.name.npos ? 0 : space + 1));
    CLI::App* app = parent->add_subcommand(word, std::string(verb.help))->fallthrough();
    verb_of_[app] = &verb;
    actions_[app] = verb.define(*app);
  }
  CLI::App* family(std::string_view name) {
    const std::string word(name);
    const auto same = root_.get_subcommands([&](CLI::App* app) { return app->get_name() == word; });
    if (!same.empty()) return same.front();
    return root_.add_subcommand(word, std::string(kFamilyHelp))->require_subcommand(1)->fallthrough();
  }

  CLI::App root_{"Answers questions from your documents, with citations.", "hasten"};
  VerbOf verb_of_;
  std::map<const CLI::App*, Action> actions_;
};

// ---- What was wrong ----

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// "unknown verb 'serach'; did you mean 'search'?"
std::string unknown(std::string_view kind, const std::string& word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string_view near = nearest(word, views);
  return fmt::format("unknown {} '{}'; {}", kind, word,
                     near.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                                  : fmt::format("did you mean '{}'?", near));
}

std::string what_was_wrong(const Grammar& grammar, const std::vector<std::string>& left,
                           const CLI::ParseError& error) {
  const CLI::App& app = grammar.named();
  const bool wants_verb = app.get_require_subcommand_min() > 0;
  for (const std::string& word : left) {
    if (word.size() > 1 && word.front() == '-')
      return unknown("flag", word.substr(0, word.find('=')), flag_names(app));
    if (wants_verb) return unknown("verb", word, subcommand_names(app));
  }
  if (!left.empty())
    return fmt::format("'{}' is one word too many; put a text of several words in quotes", left.front());
  if (wants_verb) return fmt::format("a verb is missing; known: {}", fmt::join(subcommand_names(app), ", "));
  return error.what();
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
  Command command;
  Grammar grammar(command.options);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    grammar.root().parse(reversed);
    command.action = grammar.action();
  } catch (const CLI::CallForHelp&) {
    command.text = grammar.help();
  } catch (const CLI::CallForVersion& version) {
    command.text = fmt::format("{}\n", version.what());
  } catch (const CLI::ParseError& error) {
    throw Error(Code::invalid, fmt::format("{}; see '{} --help'",
                                           what_was_wrong(grammar, grammar.root().remaining(true), error),
                                           full_name(grammar.named())));
  }
  return command;
}

}  // namespace hasten::cli
