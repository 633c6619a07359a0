#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "hasten/tune.hpp"
#include "indexes/vectors.hpp"

namespace hasten {

/// What indexes are measured on. Borrows the questions.
struct TuningCorpus {
  std::size_t dim = 0;
  std::vector<VectorEntry> entries;                           ///< in rising order of node; at least one
  FullVectors full;                                           ///< mapped
  std::function<void(std::uint64_t, std::span<float>)> read;  ///< as VectorQuery::read
  std::function<void(std::uint64_t)> fetch;                   ///< as VectorQuery::fetch
  std::span<const float> questions;                           ///< row after row; at least one
  std::size_t threads = 1;                                    ///< for building; a question has one
};

/// Builds each kind of index with each kind of codes, finds what recall its settings have, and then times
/// these in rounds, all indexes in each, so that whatever else the machine does meets all alike.
/// A kind that cannot be built of this corpus is in the answer with its reason.
/// @param folder  empty; the indexes are built in it, and stay until the caller removes it.
/// @return in the order of kinds, then codes. @throws Error(cancelled|full|io|damaged)
std::vector<TuneCandidate> measure_indexes(const TuningCorpus& corpus, const TuneOptions& options,
                                           const std::filesystem::path& folder, const OnProgress& progress,
                                           std::stop_token stop);

}  // namespace hasten
