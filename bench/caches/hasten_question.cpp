// One question over the documents of the subway test, asked twice in a process: stage by stage, with no
// cache, with each kind of them alone, and with all. usage: hasten_question fill KB DOCUMENTS
//        hasten_question ask KB QUESTION GENERATOR ROUNDS -> one JSON object: ms by cache, time and stage
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hasten/document.hpp"

namespace hasten::bench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Kind {
  std::string_view name;
  CacheBudget CacheSettings::*budget;
};
constexpr Kind kKinds[] = {{"embeddings", &CacheSettings::embeddings},
                           {"lists", &CacheSettings::lists},
                           {"results", &CacheSettings::results},
                           {"answers", &CacheSettings::answers},
                           {"passages", &CacheSettings::passages}};

/// @param on  "none", "all", or one kind.
Settings settings(std::string_view on) {
  Settings settings;
  settings.cache.type = on == "none" ? "none" : "memory";
  for (const Kind& kind : kKinds) (settings.cache.*kind.budget).on = on == "all" || on == kind.name;
  settings.cache.questions.on = on == "all";
  return settings;
}

std::string ask(const Document& document, const std::string& question, const AskOptions& options,
                json& times) {
  Trace trace;
  const auto began = std::chrono::steady_clock::now();
  const Answer answer = document.ask(question, options, {}, &trace);
  times["all"].push_back(
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
  json stages = json::object();  // of one name together
  for (const Stage& stage : trace.stages())
    stages[stage.name] = stages.value(stage.name, 0.0) + stage.duration_ms;
  for (const auto& [name, ms] : stages.items()) times[name].push_back(ms);
  if (!answer.found || answer.citations.empty()) throw std::runtime_error("no answer to " + question);
  return answer.text;
}

/// Every round opens the knowledge base anew: what was cached before is not there.
json run(const fs::path& kb, const std::string& question, const std::string& generator, std::size_t rounds) {
  AskOptions options;
  options.generator = generator;
  json said;
  std::string text;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (const std::string_view on :
         {"none", "embeddings", "lists", "results", "answers", "passages", "all"}) {
      const Document document = Document::open(kb, settings(on));
      for (const char* time : {"first", "second"}) {
        const std::string answer = ask(document, question, options, said["ms"][std::string(on)][time]);
        if (text.empty()) text = answer;
        if (answer != text) throw std::runtime_error("another answer: " + answer);
      }
    }
  }
  said["answer"] = text;
  return said;
}

json fill(const fs::path& kb, const fs::path& documents) {
  Document document = Document::open(kb, {}, Document::Access::write);
  const fs::path paths[] = {documents};
  document.ingest(paths);
  return {{"nodes", document.status().nodes}};
}

}  // namespace
}  // namespace hasten::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 3 && words[0] == "fill") {
      fmt::print("{}\n", hasten::bench::fill(words[1], words[2]).dump());
    } else if (words.size() == 5 && words[0] == "ask") {
      fmt::print("{}\n", hasten::bench::run(words[1], words[2], words[3], std::stoul(words[4])).dump());
    } else {
      fmt::print(stderr, "usage: hasten_question fill KB DOCUMENTS | ask KB QUESTION GENERATOR ROUNDS\n");
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "hasten_question: {}\n", error.what());
    return 1;
  }
}
