// Prints what a knowledge base says of each question, one JSON object a line, for fit.py.
// usage: evidence KB_FOLDER GROUP QUERIES.jsonl
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "hasten/document.hpp"

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: evidence KB_FOLDER GROUP QUERIES.jsonl\n";
    return 2;
  }
  const auto document = hasten::Document::open(argv[1]);
  hasten::SearchOptions options;
  options.group = argv[2];
  options.top_k = 6;
  std::ifstream queries(argv[3]);
  for (std::string line; std::getline(queries, line);) {
    const auto query = nlohmann::json::parse(line);
    const std::string text = query.at("text");
    if (text.empty()) continue;
    hasten::Trace trace;
    const auto result = document.search(text, options, &trace);
    nlohmann::json evidence{{"id", query.at("_id")}, {"relevance", *result.relevance}};
    for (const auto& stage : trace.stages()) {
      if (stage.name != "search.relevance") continue;
      for (const auto& [key, value] : stage.notes) evidence[key] = std::stod(value);
    }
    std::cout << evidence.dump() << "\n";
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
