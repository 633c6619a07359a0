#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/segment_store.hpp"

// Numbers that rise or count, kept by each store of the truth so that no question about them scans a table.
namespace hasten::counter {

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

/// @param value  of a counter.
StoreCounts counts(std::span<const GroupRow> groups,
                   const std::function<std::uint64_t(std::string_view)>& value);

}  // namespace hasten::counter
