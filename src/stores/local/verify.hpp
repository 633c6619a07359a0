#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stores/local/local_store.hpp"
#include "stores/local/sessions.hpp"

namespace hasten {

/// Everything that is wrong, for people and for repair().
struct Findings {
  std::vector<StoreProblem> problems;
  std::vector<std::pair<std::string, std::uint64_t>> checked;  ///< rows by kind
  std::set<std::uint32_t> documents;                           ///< whose row, text or nodes are damaged
  std::set<std::uint64_t> segments;                            ///< rows of the manifest
  std::set<std::string> settings;                              ///< keys
  std::set<std::uint32_t> groups;                              ///< whose row is damaged
  std::set<std::string> counters;                              ///< whose row is damaged
  std::set<std::uint32_t> models;                              ///< whose row, or whole file, cannot be used
  std::set<std::uint32_t> files_short;                         ///< models whose file lacks rows at its end
  std::vector<std::pair<std::uint32_t, std::string>> vectors;  ///< model, key as it stands there
  bool unreadable = false;  ///< SQLite cannot read all pages, or its keys are wrong
};

/// Reads everything within the transaction that `session` is in.
Findings find_problems(Session& session, const std::filesystem::path& vectors_folder);

}  // namespace hasten
