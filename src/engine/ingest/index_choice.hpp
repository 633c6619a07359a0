#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "hasten/settings.hpp"
#include "indexes/vectors.hpp"

namespace hasten {

/// What a segment of vectors is to have: its form, and what is built over it.
struct IndexChoice {
  VectorForm form;
  IndexParameters parameters;
  IndexKind kind = IndexKind::flat;  ///< what was chosen; never smart
};

/// What settings and size ask for. Segments of few vectors are scanned, whatever the settings: that is
/// faster, and exact. `smart` takes a graph that fits into half the memory of this machine, else one on
/// disk where the building of it fits, else ivf_pq.
/// @param memory_bytes  of the machine.
IndexChoice choose_index(const IndexSettings& settings, std::size_t nodes, std::size_t dim,
                         std::uint64_t memory_bytes);
/// With this machine's memory.
IndexChoice choose_index(const IndexSettings& settings, std::size_t nodes, std::size_t dim);

/// Whether a segment is as chosen.
bool has_index(const VectorSegment& segment, const IndexChoice& choice);

/// Whether a segment with so many nodes alive is to be written anew, as it has not what the settings ask for.
/// What `smart` chose once is kept while it is an index.
bool wants_rewriting(const VectorSegment& segment, const IndexSettings& settings, std::size_t nodes);

/// What a segment has: "graph", "ivf_pq", .. for people.
IndexKind kind_of(const VectorSegment& segment);

}  // namespace hasten
