#include "options.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstdlib>

#include "engine/search/rerankers.hpp"
#include "hasten/error.hpp"

namespace hasten::cli {

namespace fs = std::filesystem;

CLI::Validator checked_by(std::function<void(const std::string&)> parse) {
  return CLI::Validator(
      [parse = std::move(parse)](std::string& text) -> std::string {
        try {
          parse(text);
          return "";
        } catch (const Error& error) {
          return error.what();
        }
      },
      "");
}

CLI::Validator at_least_one() {
  return checked_by([](const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    if (!digits || text.find_first_not_of('0') == text.npos)
      throw Error(Code::invalid, fmt::format("'{}' is no whole number from 1 on", text));
  });
}

CLI::Validator at_least_zero() {
  return checked_by([](const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(number >= 0) || std::isinf(number))
      throw Error(Code::invalid, fmt::format("'{}' is no number from 0 on", text));
  });
}

CLI::Validator share() {
  return checked_by([](const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(number >= 0.001) || number > 1)
      throw Error(Code::invalid, fmt::format("'{}' is no share: a number from 0.001 to 1", text));
  });
}

void add_rerank_options(CLI::App& app, std::string& reranker, std::size_t& rerank_top_k) {
  app.add_option("--reranker", reranker,
                 "orders the best anew: late_interaction, judge, keywords:RULES, none")
      ->type_name("NAME|FILE.gguf|URL")
      ->check(checked_by([](const std::string& name) { check_reranker(name); }));
  app.add_option("--rerank-top-k", rerank_top_k, "how many of the best are reranked; else 32")
      ->type_name("N")
      ->check(at_least_one());
}

std::uint64_t parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  const auto wrong = [text] {
    return Error(Code::invalid, fmt::format("'{}' is no size; write 512M or 2G", text));
  };
  const std::string owned(text);
  std::size_t used = 0;
  double amount = 0;
  if (owned.empty() || std::isdigit(static_cast<unsigned char>(owned[0])) == 0) throw wrong();
  try {
    amount = std::stod(owned, &used);
  } catch (const std::exception&) {
    throw wrong();
  }
  std::string_view suffix = text.substr(used);
  int power = 0;
  if (!suffix.empty()) {
    const auto unit = kUnits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(suffix[0]))));
    if (unit != kUnits.npos) {
      power = static_cast<int>(unit) + 1;
      suffix.remove_prefix(1);
    }
  }
  const bool known_end = suffix.empty() || suffix == "B" || (power > 0 && suffix == "iB");
  const double bytes = amount * std::pow(1024.0, power);
  if (!known_end || !(bytes >= 1) || bytes >= 9e18) throw wrong();
  return static_cast<std::uint64_t>(bytes);
}

void add_common_options(CLI::App& app, Options& options) {
  app.add_option("--kb", options.kb, "the knowledge base's folder")
      ->envname("HASTEN_KB")
      ->type_name("DIR")
      ->default_str("./kb.hasten");
  app.add_option("--config", options.config, "settings; else hasten.toml here or in the folder")
      ->type_name("FILE");
  app.add_option("--store", options.store, "where it is kept, over the settings: local, memory, ... or JSON")
      ->type_name("TYPE|JSON")
      ->check(checked_by([](const std::string& text) { Stores::parse(text); }))
      ->default_str("local");
  app.add_flag("--json", options.json, "JSON on stdout, and nothing else there");
  app.add_flag("--quiet", options.quiet, "no progress, no notes");
  app.add_option("--threads", options.threads, "threads to use; 0: one a core")->type_name("N");
  app.add_option_function<std::string>(
         "--memory", [&options](const std::string& text) { options.memory_bytes = parse_size(text); },
         "what ingest may keep in flight: 512M, 2G")
      ->type_name("SIZE")
      ->check(checked_by([](const std::string& text) { parse_size(text); }));
  for (CLI::Option* option : app.get_options())
    if (option != app.get_help_ptr()) option->group(kCommonGroup);
}

std::optional<fs::path> settings_file(const Options& options) {
  if (!options.config.empty()) return options.config;
  std::error_code ignored;
  for (const fs::path& file : {fs::path("hasten.toml"), options.kb / "hasten.toml"}) {
    if (fs::exists(file, ignored)) return file;
  }
  return std::nullopt;
}

Settings settings_of(const Options& options) {
  Settings settings;
  if (const auto file = settings_file(options)) settings = Settings::load(*file);
  if (!options.store.empty()) settings.stores = Stores::parse(options.store);
  if (options.threads) settings.threads = *options.threads;
  if (options.memory_bytes) settings.memory_bytes = *options.memory_bytes;
  return settings;
}

}  // namespace hasten::cli
