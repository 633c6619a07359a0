// Adds a node group of one's own: every line of a document is a node, with its number as a field.
// usage: own_transform FOLDER [QUESTION]
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "hasten/document.hpp"

namespace {

/// The lines that hold something, as exact pieces of the parent's text.
std::vector<hasten::Piece> lines_of(const hasten::Node& parent) {
  std::vector<hasten::Piece> lines;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < parent.text.size();) {
    const std::size_t end = std::min(parent.text.find('\n', at), parent.text.size());
    ++number;
    if (end > at) {
      hasten::Piece line;
      line.span = {at, end};
      line.metadata["line"] = number;
      lines.push_back(std::move(line));
    }
    at = end + 1;
  }
  return lines;
}

int run(const std::filesystem::path& folder, const std::string& question) {
  hasten::Settings settings;
  settings.group = "Lines";  // what is made and searched
  auto document = hasten::Document::open("own_transform.hasten", settings, hasten::Document::Access::write);
  document.create_node_group("Lines", "root", hasten::make_transform("lines-1", lines_of));

  const std::filesystem::path paths[] = {folder};
  hasten::IngestOptions words_only;
  words_only.embed = false;
  document.ingest(paths, words_only);

  hasten::SearchOptions options;
  options.mode = hasten::Mode::bm25;
  options.top_k = 3;
  for (const hasten::Hit& hit : document.search(question, options).hits)
    std::cout << hit.path << ":" << std::get<std::int64_t>(hit.node.metadata.at("line")) << ": "
              << hit.node.text << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: own_transform FOLDER [QUESTION]\n";
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "soy sauce");
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
