#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "hasten/models.hpp"

namespace hasten {

/// The models of one knowledge base, each loaded when it is first needed and then kept. Thread-safe.
class LoadedModels {
 public:
  explicit LoadedModels(std::uint64_t threads) : threads_(threads) {}

  std::shared_ptr<const Embedder> embedder(const std::string& name, const OnProgress& progress = {});
  std::shared_ptr<const TokenCounter> token_counter(const std::string& name, const OnProgress& progress = {});
  std::shared_ptr<const Generator> generator(const std::string& name, const OnProgress& progress = {});
  /// A program's own embedder. @param tokens  null: four bytes are a token.
  void add(std::string name, std::unique_ptr<Embedder> embedder, std::unique_ptr<TokenCounter> tokens);
  /// A cross-encoder's file or a rerank server's URL; not kept.
  std::shared_ptr<const Reranker> reranker(const std::string& file_or_url) const {
    return store_.reranker(file_or_url, threads_);
  }
  void check_generator(const std::string& name) const { store_.check_generator(name); }
  /// Of an embedder, and of a generator ("" for a server); looked up once.
  std::string fingerprint(const std::string& name, const OnProgress& progress = {}) const;
  std::string generator_fingerprint(const std::string& name) const;

 private:
  ModelStore store_;
  std::uint64_t threads_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::string> fingerprints_, generator_fingerprints_;
  std::set<std::string> own_;  // names of the program's embedders
  // shared: a caller may still use a model while the knowledge base is closed
  std::map<std::string, std::shared_ptr<const Embedder>> embedders_;
  std::map<std::string, std::shared_ptr<const TokenCounter>> counters_;
  std::map<std::string, std::shared_ptr<const Generator>> generators_;
};

}  // namespace hasten
