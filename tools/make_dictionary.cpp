// Makes words.dict: jieba's dictionary and hidden Markov model, and the folding of traditional to
// simplified characters, as one file that is mapped instead of loaded.
//
//   make_dictionary jieba.dict.utf8 hmm_model.utf8 words.dict

#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "text/dictionary_format.hpp"

namespace hasten {
namespace {

using Emission = std::array<double, 4>;

/// jieba's probability of what it has never seen.
constexpr double kNever = -3.14e+100;

struct Word {
  std::u32string text;
  double weight;  // its frequency, then the logarithm of its share
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    points += c;
    at += size;
  }
  return points;
}

double number(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

/// Lines of "word frequency tag", as log shares: sums in the file's order, as jieba does.
std::vector<Word> read_words(const std::string& file) {
  std::vector<Word> words;
  double sum = 0;
  for (std::string_view line : split(file, '\n')) {
    const auto columns = split(line, ' ');
    if (columns.size() != 3) {
      throw Error(Code::corrupt, fmt::format("dictionary: expected 'word frequency tag', got '{}'", line));
    }
    words.push_back({code_points(columns[0]), number(columns[1])});
    sum += words.back().weight;
  }
  for (Word& word : words) word.weight = std::log(word.weight / sum);
  return words;
}

struct Model {
  Emission start;
  std::array<Emission, 4> transition;
  std::map<char32_t, Emission> emissions;
};

Emission read_row(std::string_view line) {
  const auto columns = split(line, ' ');
  Emission row;
  if (columns.size() != row.size()) {
    throw Error(Code::corrupt, fmt::format("model: expected 4 numbers, got '{}'", line));
  }
  std::transform(columns.begin(), columns.end(), row.begin(), number);
  return row;
}

/// Lines that are no comments: start, four of transitions, four of "character:emission,...".
Model read_model(const std::string& file) {
  std::vector<std::string_view> lines = split(file, '\n');
  std::erase_if(lines, [](std::string_view line) { return line.starts_with('#'); });
  if (lines.size() != 9) throw Error(Code::corrupt, "model: expected 9 lines beside comments");
  Model model;
  model.start = read_row(lines[0]);
  for (std::size_t i = 0; i < 4; ++i) model.transition[i] = read_row(lines[1 + i]);
  for (std::size_t state = 0; state < 4; ++state) {
    for (std::string_view entry : split(lines[5 + state], ',')) {
      const char32_t c = utf8::decode(entry, 0).code_point;
      const auto row = model.emissions.try_emplace(c, Emission{kNever, kNever, kNever, kNever});
      row.first->second[state] = number(entry.substr(entry.find(':') + 1));
    }
  }
  return model;
}

/// Han characters and what they fold to, where that is another single character.
std::map<char32_t, char32_t> read_foldings() {
  UErrorCode failed = U_ZERO_ERROR;
  const std::unique_ptr<icu::Transliterator> simplify(
      icu::Transliterator::createInstance("Hant-Hans", UTRANS_FORWARD, failed));
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(failed);
  if (U_FAILURE(failed)) throw Error(Code::unavailable, "ICU has no Hant-Hans transliterator");
  std::map<char32_t, char32_t> foldings;
  for (char32_t c = 0; c < 0x40000; ++c) {
    if (!utf8::is_han(c)) continue;
    icu::UnicodeString text = nfkc->normalize(icu::UnicodeString(static_cast<UChar32>(c)), failed);
    simplify->transliterate(text);
    const auto folded = static_cast<char32_t>(text.char32At(0));
    if (text.countChar32() == 1 && folded != c) foldings.emplace(c, folded);
  }
  return foldings;
}

/// The trie by levels, so that the children of a node lie side by side, sorted.
struct Trie {
  std::vector<std::uint32_t> labels{0};
  std::vector<std::uint32_t> children;
  std::vector<std::uint16_t> words{0};
};

/// @param words  sorted, each once, with its index into the weights.
Trie make_trie(const std::vector<std::pair<std::u32string_view, std::uint16_t>>& words) {
  struct Range {
    std::size_t from, to, depth;
  };
  Trie trie;
  std::vector<Range> level{{0, words.size(), 0}};
  for (std::size_t i = 0; i < level.size(); ++i) {
    const Range node = level[i];
    trie.children.push_back(static_cast<std::uint32_t>(trie.labels.size()));
    // The word that ends at this node, if there is one, is the first of its range.
    std::size_t from = node.from + (node.depth > 0 && words[node.from].first.size() == node.depth);
    while (from < node.to) {
      const char32_t label = words[from].first[node.depth];
      std::size_t to = from + 1;
      while (to < node.to && words[to].first[node.depth] == label) ++to;
      const bool is_word = words[from].first.size() == node.depth + 1;
      trie.labels.push_back(label);
      trie.words.push_back(is_word ? words[from].second : std::uint16_t{0});
      level.push_back({from, to, node.depth + 1});
      from = to;
    }
  }
  trie.children.push_back(static_cast<std::uint32_t>(trie.labels.size()));
  return trie;
}

/// Tables of 256 characters, for those that the dictionary knows anything of.
class Characters {
 public:
  Character& at(char32_t c) {
    std::uint16_t& page = pages_[c / kCharactersPerPage];
    if (page == 0) page = add_page(c);
    return table_[page * kCharactersPerPage + c % kCharactersPerPage];
  }
  const std::vector<Character>& table() const { return table_; }
  const std::vector<std::uint16_t>& pages() const { return pages_; }

 private:
  std::uint16_t add_page(char32_t c) {
    const std::size_t page = table_.size() / kCharactersPerPage;
    const std::uint32_t first = c - c % kCharactersPerPage;
    for (std::uint32_t i = 0; i < kCharactersPerPage; ++i) table_.push_back({0, first + i, 0});
    return static_cast<std::uint16_t>(page);
  }
  std::vector<Character> table_ = std::vector<Character>(kCharactersPerPage);
  std::vector<std::uint16_t> pages_ = std::vector<std::uint16_t>(kPageEntries);
};

template <class T>
void append(std::string& bytes, const std::vector<T>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  bytes.resize((bytes.size() + 7) / 8 * 8);
}

struct Dictionary {
  std::vector<double> weights;
  std::vector<Emission> emissions{{kNever, kNever, kNever, kNever}};
  Characters characters;
  Trie trie;
};

Trie make_trie(const std::vector<Word>& words, std::vector<double>& weights) {
  for (const Word& word : words) weights.push_back(word.weight);
  std::sort(weights.begin(), weights.end());
  weights.insert(weights.begin(), weights.front());  // [0]: as rare as the rarest
  weights.erase(std::unique(weights.begin() + 1, weights.end()), weights.end());
  if (weights.size() > 0xFFFF) throw Error(Code::too_large, "over 65,535 different frequencies");
  std::map<std::u32string_view, std::uint16_t> sorted;
  for (const Word& word : words) {  // of a word that is listed twice, the last counts
    const auto weight = std::lower_bound(weights.begin() + 1, weights.end(), word.weight);
    sorted[word.text] = static_cast<std::uint16_t>(weight - weights.begin());
  }
  return make_trie({sorted.begin(), sorted.end()});
}

Dictionary make_dictionary(const std::vector<Word>& words, const Model& model) {
  Dictionary made;
  made.trie = make_trie(words, made.weights);
  for (std::uint32_t node = made.trie.children[0]; node < made.trie.children[1]; ++node) {
    made.characters.at(made.trie.labels[node]).node = node;
  }
  for (const auto& [c, row] : model.emissions) {
    made.characters.at(c).emission = static_cast<std::uint32_t>(made.emissions.size());
    made.emissions.push_back(row);
  }
  for (const auto& [c, folded] : read_foldings()) made.characters.at(c).simplified = folded;
  return made;
}

std::string encode(const Dictionary& made, const Model& model) {
  std::string body;
  append(body, made.weights);
  append(body, made.emissions);
  append(body, made.characters.table());
  append(body, made.characters.pages());
  append(body, made.trie.labels);
  append(body, made.trie.children);
  append(body, made.trie.words);
  DictionaryHeader header{
      .magic = kDictionaryMagic,
      .version = kDictionaryVersion,
      .weights = static_cast<std::uint32_t>(made.weights.size()),
      .emissions = static_cast<std::uint32_t>(made.emissions.size()),
      .pages = static_cast<std::uint32_t>(made.characters.table().size() / kCharactersPerPage),
      .nodes = static_cast<std::uint32_t>(made.trie.labels.size()),
      .reserved = 0,
      .start = model.start,
      .transition = model.transition,
      .body_bytes = body.size(),
      .body_checksum = checksum(body),
      .header_checksum = 0};
  const auto header_bytes = std::as_bytes(std::span(&header, 1));
  header.header_checksum = checksum(header_bytes.first(offsetof(DictionaryHeader, header_checksum)));
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + body;
}

}  // namespace
}  // namespace hasten

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: make_dictionary jieba.dict.utf8 hmm_model.utf8 words.dict\n");
    return 2;
  }
  try {
    using namespace hasten;
    const auto words = read_words(read_file(argv[1]));
    const Model model = read_model(read_file(argv[2]));
    write_file_atomically(argv[3], encode(make_dictionary(words, model), model));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: make_dictionary: {}\n", error.what());
    return 1;
  }
}
