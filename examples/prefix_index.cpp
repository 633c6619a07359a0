// An index of one's own: a trie, which finds the nodes that have a word with a given beginning.
// usage: prefix_index FOLDER [PREFIX]
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hasten/document.hpp"

namespace {

/// The words of a text, in small letters; what is no ASCII letter or digit parts them.
std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : std::string(text) + ' ') {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.insert(std::move(word));
      word.clear();
    }
  }
  return words;
}

class Trie final : public hasten::Index {
 public:
  void update(std::span<const hasten::Node> nodes, const hasten::Matrix&) override {
    for (const hasten::Node& node : nodes) {
      const auto words = words_of(node.text);
      for (const std::string& word : words) leaf(word).nodes.insert(node.id);
      words_[node.id] = words;
    }
  }

  void remove(std::span<const hasten::Id> nodes) override {
    for (const hasten::Id& id : nodes) {
      for (const std::string& word : words_[id]) leaf(word).nodes.erase(id);
      words_.erase(id);
    }
  }

  /// The score is how many different words of a node begin so.
  std::vector<hasten::IndexHit> query(const hasten::IndexQuery& query) const override {
    const Letter* at = &root_;
    for (const char c : query.text) {
      const auto next = at->next.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      if (next == at->next.end()) return {};
      at = next->second.get();
    }
    std::map<hasten::Id, double> counts;
    count(*at, counts);
    std::vector<hasten::IndexHit> hits;
    for (const auto& [id, score] : counts)
      if (!query.allowed || query.allowed(id)) hits.push_back({id, score});
    std::stable_sort(hits.begin(), hits.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    hits.resize(std::min(hits.size(), query.k));
    return hits;
  }

 private:
  struct Letter {
    std::map<char, std::unique_ptr<Letter>> next;
    std::set<hasten::Id> nodes;  // that have the word which ends here
  };

  Letter& leaf(const std::string& word) {
    Letter* at = &root_;
    for (const char c : word) {
      auto& next = at->next[c];
      if (!next) next = std::make_unique<Letter>();
      at = next.get();
    }
    return *at;
  }

  static void count(const Letter& from, std::map<hasten::Id, double>& counts) {
    for (const hasten::Id& id : from.nodes) counts[id] += 1;
    for (const auto& [c, next] : from.next) count(*next, counts);
  }

  Letter root_;
  std::map<hasten::Id, std::set<std::string>> words_;
};

/// The same without a trie: every node is looked at.
class Scan final : public hasten::Index {
 public:
  void update(std::span<const hasten::Node> nodes, const hasten::Matrix&) override {
    for (const hasten::Node& node : nodes) words_[node.id] = words_of(node.text);
  }
  void remove(std::span<const hasten::Id> nodes) override {
    for (const hasten::Id& id : nodes) words_.erase(id);
  }
  std::vector<hasten::IndexHit> query(const hasten::IndexQuery& query) const override {
    std::vector<hasten::IndexHit> hits;
    for (const auto& [id, words] : words_) {
      const auto begins = [&](const std::string& word) { return word.starts_with(query.text); };
      const auto n = std::count_if(words.begin(), words.end(), begins);
      if (n > 0 && (!query.allowed || query.allowed(id))) hits.push_back({id, static_cast<double>(n)});
    }
    return hits;
  }

 private:
  std::map<hasten::Id, std::set<std::string>> words_;
};

int run(const std::filesystem::path& folder, const std::string& prefix) {
  auto document = hasten::Document::open("prefix_index.hasten", {}, hasten::Document::Access::write);
  document.register_index("MediumChunk", "trie", std::make_unique<Trie>());
  document.register_index("MediumChunk", "scan", std::make_unique<Scan>());

  const std::filesystem::path paths[] = {folder};
  hasten::IngestOptions words_only;
  words_only.embed = false;
  document.ingest(paths, words_only);

  hasten::SearchOptions options;
  options.retrievers = {hasten::Retriever::parse("similarity=trie")};
  const auto hits = document.search(prefix, options).hits;
  for (const hasten::Hit& hit : hits) std::cout << hit.path << ": " << hit.score << " words\n";

  options.retrievers = {hasten::Retriever::parse("similarity=scan")};
  const auto expected = document.search(prefix, options).hits;
  const bool same =
      std::equal(hits.begin(), hits.end(), expected.begin(), expected.end(),
                 [](const auto& a, const auto& b) { return a.node.id == b.node.id && a.score == b.score; });
  std::cout << hits.size() << " found, " << (same ? "as by reading every node" : "NOT what a scan finds")
            << "\n";
  return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: prefix_index FOLDER [PREFIX]\n";
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "sa");
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
