#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stores/counters.hpp"
#include "stores/postgres/connection.hpp"

/// Those of this store alone, kept with the others in the row of `_head`.
namespace hasten::counter {
/// The number beyond the last committed vector of a model: what lies beyond it a crash has left.
std::string vectors_end(std::uint32_t model);
/// Every node of the group up to this number has a vector of the model.
std::string embedded(std::uint32_t model, std::uint32_t group);
inline constexpr std::string_view kEmbedded = "embedded/";
}  // namespace hasten::counter

namespace hasten::postgres {

/// The version of the tables that this code writes; it reads no newer one.
constexpr std::int32_t kTruthFormat = 1;

/// The knowledge base that a schema holds: 32 hexadecimal digits that no other has.
struct TruthIdentity {
  std::string name;
  /// Of the advisory lock that its writer holds.
  std::int64_t lock() const;
};

/// @throws Error(not_found) none is there; Error(mismatch) of a newer format; Error(damaged) no format of
/// ours.
TruthIdentity find_truth(Connection& connection, const std::string& schema);
/// Makes the schema and its tables where they are not there. @throws Error(refused) it may not.
TruthIdentity make_truth(Connection& connection, const std::string& schema);

}  // namespace hasten::postgres
