// A process that serves a knowledge base, on whichever host it is started: it does what the lines of its
// input say, and answers each with one.
//   host STORE CACHE FOLDER read|write
//   {"search": "question 3"}                          -> {"hits": [["doc1", 0.5], ...]}
//   {"add": [["doc1", "text"], ...], "remove": "doc2"} -> {"done": true}
// What fails answers {"error": "unavailable", "message": "..."}.
#include <iostream>
#include <nlohmann/json.hpp>

#include "hasten/document.hpp"
#include "tests/engine/hash_embedder.hpp"

namespace hasten {
namespace {

using nlohmann::json;

Document open(const std::string& store, const std::string& cache, const std::string& folder, bool writing) {
  Settings settings;
  settings.embedder = "hash";
  settings.stores = Stores::parse(store);
  settings.cache.type = "redis";
  settings.cache.kwargs = cache;
  Document document =
      Document::open(folder, settings, writing ? Document::Access::write : Document::Access::read);
  document.register_embedder("hash", std::make_unique<HashEmbedder>());
  return document;
}

json search(const Document& document, const std::string& question) {
  SearchOptions options;
  options.mode = Mode::hybrid;
  json hits = json::array();
  for (const Hit& hit : document.search(question, options).hits) hits.push_back({hit.path, hit.score});
  return {{"hits", hits}};
}

json change(Document& document, const json& told) {
  std::vector<TextDocument> texts;
  for (const json& text : told["add"]) texts.push_back({text[0], text[1], {}});
  if (!texts.empty()) document.add(texts);
  if (told.contains("remove")) {
    document.remove(std::vector<std::filesystem::path>{told["remove"].get<std::string>()});
  }
  return {{"done", true}};
}

json answering(const std::function<json()>& action) {
  try {
    return action();
  } catch (const Error& error) {
    return {{"error", to_string(error.code())}, {"message", error.what()}};
  }
}

int serve(const char* const* words) {
  std::optional<Document> document;
  const json opened = answering([&]() -> json {
    document.emplace(open(words[1], words[2], words[3], std::string_view(words[4]) == "write"));
    return {{"done", true}};
  });
  std::cout << opened << std::endl;
  if (!document) return 1;
  for (std::string line; std::getline(std::cin, line);) {
    const json told = json::parse(line);
    std::cout << answering([&] {
      return told.contains("search") ? search(*document, told["search"]) : change(*document, told);
    }) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace hasten

int main(int count, char** words) { return count == 5 ? hasten::serve(words) : 2; }
