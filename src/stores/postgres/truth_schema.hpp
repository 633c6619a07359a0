#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stores/postgres/connection.hpp"

namespace hasten::postgres {

/// The version of the tables that this code writes; it reads no newer one.
constexpr std::int32_t kTruthFormat = 1;

/// Numbers that rise or count, kept in the row of `_head` so that no question about them scans a table.
namespace counter {
inline constexpr std::string_view kLastDocument = "last_document";
inline constexpr std::string_view kLastNode = "last_node";
inline constexpr std::string_view kLastGroup = "last_group";
inline constexpr std::string_view kLastSegment = "last_segment";
inline constexpr std::string_view kDocuments = "documents";
inline constexpr std::string_view kDocumentsFailed = "documents_failed";
inline constexpr std::string_view kTextBytes = "text_bytes";
inline constexpr std::string_view kVectors = "vectors";
/// Nodes of a group.
std::string nodes_of_group(std::uint32_t group);
/// The number beyond the last committed vector of a model: what lies beyond it a crash has left.
std::string vectors_end(std::uint32_t model);
/// Every node of the group up to this number has a vector of the model.
std::string embedded(std::uint32_t model, std::uint32_t group);
inline constexpr std::string_view kEmbedded = "embedded/";
}  // namespace counter

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
