#pragma once

#include <cstdint>
#include <filesystem>

#include "stores/counters.hpp"
#include "stores/local/sqlite.hpp"

namespace hasten {

/// The version of truth.db that this code writes; it reads no newer one.
constexpr std::int64_t kFormatVersion = 3;
/// The first with small segments in truth.db, and with the commits of late.
constexpr std::int64_t kFormatWithImages = 2, kFormatWithCommits = 3;

/// Makes an empty truth.db: whole under its name, or not there. The caller holds the writer's lock.
void create_truth(const std::filesystem::path& file);

/// Removes a database file and its companions, where they are.
void remove_database(const std::filesystem::path& file);

/// @throws Error(damaged) not a truth.db; Error(mismatch) of a newer format.
void check_format(sqlite::Connection& connection);

/// Brings a file of an older format to this one, in one transaction.
void upgrade(sqlite::Connection& connection);

/// Whether its tables are those of its format: a flipped bit there is one in the meaning of every row.
bool has_its_schema(sqlite::Connection& connection);

/// Whether it is of this format or a later one; a reader may see one that no writer has upgraded.
bool is_of_format(sqlite::Connection& connection, std::int64_t version);

/// Those of this store alone.
namespace counter {
inline constexpr std::string_view kCommit = "commit";
inline constexpr std::string_view kLastModel = "last_model";
}  // namespace counter

/// 0 where it was never set. @throws Error(damaged)
std::uint64_t read_counter(sqlite::Connection& connection, std::string_view name);
void write_counter(sqlite::Connection& connection, std::string_view name, std::uint64_t value);

}  // namespace hasten
