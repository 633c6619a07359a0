#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "stores/local/local_store.hpp"
#include "stores/local/sqlite.hpp"

namespace hasten {

/// Within a write transaction: drops the vectors whose text no node has, and copies those of models
/// that had such (or are in `always`) into a file of the next generation.
/// @param unlink  receives the files that are of no use once this is committed.
std::vector<LocalStore::MovedVectors> rewrite_vectors(sqlite::Connection& connection,
                                                      const std::filesystem::path& folder,
                                                      const std::set<std::uint32_t>& always,
                                                      std::map<std::string, std::filesystem::path>& unlink);

}  // namespace hasten
