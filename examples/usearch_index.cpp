// An index of one's own over another library: USearch's graph finds the nearest vectors, and is
// compared with what is built in.
// usage: usearch_index FOLDER [QUESTION]
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <usearch/index_dense.hpp>
#include <vector>

#include "hasten/document.hpp"

namespace {

namespace us = unum::usearch;
using Graph = us::index_dense_gt<std::uint64_t>;

class UsearchIndex final : public hasten::Index {
 public:
  void update(std::span<const hasten::Node> nodes, const hasten::Matrix& vectors) override {
    if (vectors.rows == 0) return;  // they come again when they have their vectors
    if (!graph_) make(vectors.dim);
    if (!graph_->try_reserve({graph_->size() + nodes.size(), kThreads})) throw std::bad_alloc();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      auto added = graph_->add(next_key_, vectors.row(i).data());
      if (!added) throw std::runtime_error(added.error.release());
      ids_[next_key_] = nodes[i].id;
      keys_[nodes[i].id] = next_key_++;
    }
  }

  void remove(std::span<const hasten::Id> nodes) override {
    for (const hasten::Id& id : nodes) {
      const auto known = keys_.find(id);
      if (known == keys_.end()) continue;  // it had no vector yet
      graph_->remove(known->second);
      ids_.erase(known->second);
      keys_.erase(known);
    }
  }

  std::vector<hasten::IndexHit> query(const hasten::IndexQuery& query) const override {
    const auto vector = query.vector();
    if (!graph_ || vector.empty()) return {};
    const auto may_answer = [&](std::uint64_t key) {
      const auto id = ids_.find(key);
      return id != ids_.end() && (!query.allowed || query.allowed(id->second));
    };
    auto found = graph_->filtered_search(vector.data(), query.k, may_answer);
    if (!found) throw std::runtime_error(found.error.release());
    std::vector<hasten::IndexHit> hits;
    for (std::size_t i = 0; i < found.size(); ++i)
      hits.push_back({ids_.at(found[i].member.key), 1 - double{found[i].distance}});
    return hits;
  }

 private:
  static constexpr std::size_t kThreads = 64;  // that may search at a time

  void make(std::size_t dim) {
    const us::metric_punned_t metric(dim, us::metric_kind_t::ip_k, us::scalar_kind_t::f32_k);
    auto made = Graph::make(metric);
    if (!made) throw std::runtime_error(made.error.release());
    graph_ = std::move(made.index);
  }

  std::optional<Graph> graph_;
  std::uint64_t next_key_ = 0;
  std::unordered_map<std::uint64_t, hasten::Id> ids_;
  std::map<hasten::Id, std::uint64_t> keys_;
};

int run(const std::filesystem::path& folder, const std::string& question) {
  hasten::Settings settings;
  settings.embedder = "all-MiniLM-L6-v2";
  auto document = hasten::Document::open("usearch_index.hasten", settings, hasten::Document::Access::write);
  document.register_index("FineChunk", "usearch", std::make_unique<UsearchIndex>());

  const std::filesystem::path paths[] = {folder};
  hasten::IngestOptions fine;
  fine.groups = {"FineChunk"};
  document.ingest(paths, fine);

  hasten::SearchOptions options;
  options.top_k = 5;
  options.retrievers = {hasten::Retriever::parse("group=FineChunk,similarity=usearch")};
  const auto hits = document.search(question, options).hits;
  options.retrievers = {hasten::Retriever::parse("group=FineChunk,similarity=cosine")};
  const auto expected = document.search(question, options).hits;

  std::size_t same = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    std::cout << hits[i].score << "  " << hits[i].path << "\n";
    same += i < expected.size() && hits[i].node.id == expected[i].node.id &&
            std::abs(hits[i].score - expected[i].score) < 1e-4;
  }
  std::cout << same << " of " << expected.size() << " as the built-in index finds them\n";
  return same == expected.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: usearch_index FOLDER [QUESTION]\n";
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "How far away is the Moon?");
  } catch (const hasten::Error& error) {
    std::cerr << "error: " << hasten::to_string(error.code()) << ": " << error.what() << "\n";
    return 1;
  }
}
