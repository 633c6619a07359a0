#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "indexes/vectors.hpp"

namespace hasten {

/// What share of the true best k a walk finds, by the size of its pool.
struct RecallPoint {
  std::size_t pool;
  double recall;
};

/// The pools that are measured for k answers: from a quarter of k on, each half as large again.
std::vector<std::size_t> recall_pools(std::size_t k);

/// Measures indexes against scans, over recall_pools(), until nearly
/// all is found or an index would cost more than a scan; as many lists are looked through as the pool is
/// large. Where the segments have no index: one point, recall 1.
/// @param questions  vectors of the segments' dimension, row after row.
/// @param allowed    documents that may answer; null: all.
/// @return pools and their recall, both rising; at least one point.
/// @throws Error(cancelled); as search_vectors().
std::vector<RecallPoint> measure_recall(std::span<const VectorInput> segments,
                                        std::span<const float> questions, std::size_t dim, std::size_t k,
                                        const DocumentSet* allowed,
                                        const std::function<std::span<const float>(std::uint64_t)>& full,
                                        std::stop_token stop = {});

/// The smallest measured pool that reaches this recall; nothing where none does: scan then.
std::optional<std::size_t> pool_for(std::span<const RecallPoint> curve, double recall);

}  // namespace hasten
