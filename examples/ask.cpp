// Answers a question from a folder of documents, with citations, while you read along.
// usage: ask FOLDER [QUESTION]
#include <filesystem>
#include <iostream>
#include <string>

#include "hasten/document.hpp"

namespace {

int run(const std::filesystem::path& folder, const std::string& question) {
  auto document = hasten::Document::open("ask.hasten", {}, hasten::Document::Access::write);
  const std::filesystem::path paths[] = {folder};
  document.ingest(paths);

  hasten::AskOptions options;
  options.generator = "extractive";  // quotes the documents; leave it out for the language model
  const auto print = [](std::string_view piece) { std::cout << piece << std::flush; };
  hasten::Trace trace;
  const hasten::Answer answer = document.ask(question, options, print, &trace);

  std::cout << "\n\n";
  for (const hasten::Citation& citation : answer.citations)
    std::cout << "[" << citation.number << "] " << citation.path << ":" << citation.span.from << "-"
              << citation.span.to << "  " << citation.text << "\n";
  std::cerr << hasten::waterfall(trace.stages());
  return answer.found ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: ask FOLDER [QUESTION]\n";
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "How many people walked on the Moon?");
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
