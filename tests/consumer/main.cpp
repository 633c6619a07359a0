// Adds two texts, searches them by words and quotes from one: what a user of the library does
// first.
#include <iostream>
#include <string>

#include "hasten/document.hpp"
#include "hasten/version.hpp"

namespace {

int run(const char* folder) {
  auto document = hasten::Document::open(folder, {}, hasten::Document::Access::write);
  const hasten::TextDocument texts[] = {{"tea.txt", "Green tea is brewed with water of eighty degrees.", {}},
                                        {"地铁.txt", "北京地铁十号线是一条环线，共有四十五座车站。", {}}};
  hasten::IngestOptions words_only;
  words_only.embed = false;
  document.add(texts, words_only);

  hasten::SearchOptions options;
  options.mode = hasten::Mode::bm25;
  for (const auto& [question, expected] :
       {std::pair{"How hot is the water for green tea?", "tea.txt"}, {"环线有几座车站", "地铁.txt"}}) {
    const auto hits = document.search(question, options).hits;
    if (hits.empty() || hits.front().path != expected) {
      std::cerr << "wrong answer to: " << question << "\n";
      return 1;
    }
  }
  std::cout << "hasten " << hasten::version() << " works\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return argc == 2 ? run(argv[1]) : 2;
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
