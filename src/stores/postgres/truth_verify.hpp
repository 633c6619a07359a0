#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stores/postgres/postgres_store_state.hpp"

namespace hasten::postgres {

/// Everything that is wrong, for people and for repair().
struct Findings {
  std::vector<StoreProblem> problems;
  std::vector<std::pair<std::string, std::uint64_t>> checked;  ///< rows by kind
  std::set<std::uint32_t> documents;                           ///< whose row, text or nodes are damaged
  std::set<std::uint64_t> segments;                            ///< rows of the manifest, or what they hold
  std::set<std::string> settings;                              ///< keys
  std::set<std::uint32_t> groups, models;                      ///< whose row is damaged
  std::vector<std::pair<std::uint32_t, std::string>> vectors;  ///< model, key as it stands there
  bool counters = false;                                       ///< cannot be read
};

/// Reads everything that a transaction sees. It may take long, and no limit of time is set to it.
Findings find_problems(const TruthTransaction& state);

/// Lifts the limit of time from the statements of a transaction, for one that passes over whole tables.
Limits without_limit(Connection& connection);

}  // namespace hasten::postgres
