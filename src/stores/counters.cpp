#include "stores/counters.hpp"

#include <fmt/format.h>

namespace hasten::counter {

std::string nodes_of_group(std::uint32_t group) { return fmt::format("nodes/{}", group); }

StoreCounts counts(std::span<const GroupRow> groups,
                   const std::function<std::uint64_t(std::string_view)>& value) {
  StoreCounts counts;
  counts.documents = value(kDocuments);
  counts.documents_failed = value(kDocumentsFailed);
  counts.text_bytes = value(kTextBytes);
  counts.vectors = value(kVectors);
  for (const GroupRow& group : groups) {
    counts.nodes.emplace_back(group.name, value(nodes_of_group(group.id)));
  }
  return counts;
}

}  // namespace hasten::counter
