// Makes a knowledge base of a folder and searches it: by words, by meaning, by both.
// usage: ingest_and_search FOLDER [QUESTION]
#include <filesystem>
#include <iostream>
#include <string>

#include "hasten/document.hpp"

namespace {

void print_hits(const hasten::Document& document, const std::string& question, hasten::Mode mode) {
  hasten::SearchOptions options;
  options.mode = mode;
  options.top_k = 3;
  std::cout << hasten::to_string(mode) << ":\n";
  for (const hasten::Hit& hit : document.search(question, options).hits)
    std::cout << "  " << hit.score << "  " << hit.path << ":" << hit.node.span.from << "-" << hit.node.span.to
              << "\n";
}

int run(const std::filesystem::path& folder, const std::string& question) {
  const auto place = std::filesystem::path("ingest_and_search.hasten");
  auto document = hasten::Document::open(place, {}, hasten::Document::Access::write);

  const std::filesystem::path paths[] = {folder};
  const hasten::IngestReport report = document.ingest(paths);
  std::cout << report.files_seen << " files, " << report.files_new << " new, " << report.nodes_added
            << " nodes added\n";

  for (const auto mode : {hasten::Mode::bm25, hasten::Mode::vector, hasten::Mode::hybrid})
    print_hits(document, question, mode);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: ingest_and_search FOLDER [QUESTION]\n";
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "How is the knowledge base kept safe?");
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
