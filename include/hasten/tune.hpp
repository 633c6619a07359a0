#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hasten/settings.hpp"

namespace hasten {

/// What Document::tune() measures, and what its choice must keep to.
struct TuneOptions {
  std::string group;                   ///< empty: the settings'
  double recall = 0;                   ///< that must be reached, 0 to 1; 0: the settings'
  std::size_t top_k = 10;              ///< nearest passages that a question asks for
  std::vector<std::string> queries;    ///< the user's own questions; empty: made from the passages
  std::vector<IndexKind> kinds;        ///< empty: all but smart
  std::vector<VectorCodes> codes;      ///< empty: all
  std::size_t sample = 200'000;        ///< vectors that are measured on; of more, evenly spaced ones
  std::uint64_t memory_bytes_max = 0;  ///< of an index; 0: no limit
  std::uint64_t disk_bytes_max = 0;    ///< of an index, beside the full vectors; 0: no limit
};

/// One setting of an index, measured.
struct TunePoint {
  std::size_t pool = 0;    ///< that a walk goes on from, candidates that are scored again; 0: all is scanned
  std::size_t probes = 0;  ///< inverted lists that are looked through, as many as `pool`; 0: there are none
  double recall = 0;       ///< share of the true nearest top_k that were found
  double p50_us = 0;       ///< of the questions, each by the median of its rounds; one thread
  double p99_us = 0;
};

/// One index with one kind of codes, measured.
struct TuneCandidate {
  IndexKind kind = IndexKind::flat;
  VectorCodes codes = VectorCodes::int8;
  std::vector<TunePoint> points;    ///< by rising pool and recall
  std::optional<std::size_t> best;  ///< the fastest point that reaches the recall
  std::uint64_t memory_bytes = 0;   ///< that searching maps: codes and index, or the full vectors for codes
  std::uint64_t disk_bytes = 0;     ///< of the index's file, beside the full vectors
  double build_seconds = 0;
  std::string skipped;  ///< why it was not measured; empty: it was
};

struct TuneReport {
  std::string group;
  std::size_t dim = 0;
  std::size_t vectors = 0;   ///< of the group
  std::size_t measured = 0;  ///< of them; all figures are of these
  std::size_t questions = 0;
  bool own_questions = false;
  double recall = 0;  ///< that was asked for
  std::size_t top_k = 0;
  std::vector<TuneCandidate> candidates;
  std::optional<std::size_t> chosen;  ///< of the candidates; nothing: none keeps to what was asked
  std::string reason;                 ///< why, in words
  std::vector<std::string> notices;
};

}  // namespace hasten
