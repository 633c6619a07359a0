#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/cache.hpp"
#include "hasten/reader.hpp"
#include "hasten/search.hpp"
#include "hasten/store.hpp"

namespace hasten {

/// One message of progress on long work, or one notice ("installing model ...").
struct Progress {
  std::string_view stage;  ///< "scan", "read", "embed", "merge", "download", "import", "notice"
  std::uint64_t done = 0;
  std::uint64_t total = 0;   ///< 0: not known
  std::string_view unit;     ///< "files", "tokens", "bytes"
  std::string_view message;  ///< a line for people; empty while only the numbers move
};
/// Called from one thread at a time.
using OnProgress = std::function<void(const Progress&)>;

/// A node group: nodes made from its parent's by one splitter.
struct GroupSettings {
  std::string name;
  std::string parent = "root";
  std::string splitter = "sentence";
  std::uint64_t chunk_size = 256;
  std::uint64_t chunk_overlap = 25;
};

/// How vectors are searched; docs/indexes.md explains each.
enum class IndexKind {
  smart,   ///< by size and memory: flat, graph, disk or ivf_pq
  flat,    ///< all codes are scanned
  graph,   ///< from near to nearer vectors
  ivf,     ///< the nearest of k-means' lists, all of their vectors
  pq,      ///< all 4-bit product codes are scanned
  ivf_pq,  ///< the nearest lists' 4-bit product codes
  rabitq,  ///< all 1-bit codes are scanned
  disk,    ///< a graph whose records and vectors stay on disk
};
std::string_view to_string(IndexKind kind) noexcept;
IndexKind index_kind_from_string(std::string_view word);  ///< @throws Error(invalid)

/// What is kept of each vector beside its full precision, to find candidates by.
enum class VectorCodes { int8, bf16, f32 };
std::string_view to_string(VectorCodes codes) noexcept;
VectorCodes vector_codes_from_string(std::string_view word);  ///< @throws Error(invalid)

/// `[index]`. Segments of other settings are rewritten by the next ingest or compact.
struct IndexSettings {
  IndexKind kind = IndexKind::smart;
  VectorCodes codes = VectorCodes::int8;  ///< f32: none; `disk` keeps none
};

inline constexpr std::string_view kDefaultEmbedder = "multilingual-e5-small";

/// Everything that can be set, with its default. `hasten.toml` has the same keys.
struct Settings {
  /// A model's name or a GGUF file. Empty: the knowledge base's own; of a new one kDefaultEmbedder.
  std::string embedder;
  std::string generator = "SmolLM2-135M-Instruct";      ///< name, GGUF file, URL, or "extractive"
  std::string group = "MediumChunk";                    ///< the group that is searched by default
  std::vector<GroupSettings> groups;                    ///< the user's own, beside the built-in three
  std::uint64_t threads = 0;                            ///< 0: one a core
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;  ///< what ingest may keep in flight
  ReadLimits limits;
  /// What share of the true nearest passages a search by meaning is to find, 0 to 1. It decides how far
  /// walks through a graph go, by what was measured on this knowledge base; 1: everything is scanned.
  double recall = 0.95;
  IndexSettings index;
  Stores stores;  ///< [store]
  /// What puts the best hits in order again (docs/reranking.md): "late_interaction", "judge",
  /// "keywords:RULES", FILE.gguf of a cross-encoder, the http(s) URL of a server, or the name of a
  /// registered one. Empty: nothing.
  std::string reranker;
  std::uint64_t rerank_top_k = 32;                            ///< how many of the best hits are reranked
  std::vector<std::string> token_cache_groups;                ///< whose token vectors are kept; empty: all
  std::uint64_t token_cache_bytes = std::uint64_t{64} << 20;  ///< on disk; 0: none is kept
  CacheSettings cache;                                        ///< [cache]
  double bm25_k1 = 1.5;
  double bm25_b = 0.75;
  /// What a search does where its own options do not say: [search], and [[retrievers]], in the file.
  /// Its group, filter, recall, operators and queries are of no use here.
  SearchOptions search;

  /// Reads `hasten.toml` (or JSON of the same shape, by its suffix).
  /// @throws Error(not_found) no such file; Error(invalid) with line and the nearest known key.
  static Settings load(const std::filesystem::path& file);
};

/// "CoarseChunk" 1024/100, "MediumChunk" 256/25 and "FineChunk" 128/12, all sentence splitters.
const std::vector<GroupSettings>& builtin_groups();

}  // namespace hasten
