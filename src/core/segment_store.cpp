#include "core/segment_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hasten {

std::optional<DocumentRow> SegmentStore::Reading::document(std::uint32_t number) const {
  std::vector<DocumentRow> found = documents({&number, 1});
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::string SegmentStore::Reading::text(std::uint32_t document, Span span) const {
  const TextPlace place{document, span};
  return std::move(texts({&place, 1}).front());
}

std::string SegmentStore::Reading::text(std::uint32_t document) const {
  const std::optional<DocumentRow> row = this->document(document);
  if (!row) throw Error(Code::not_found, "no document " + std::to_string(document));
  return text(document, Span{0, row->text_bytes});
}

void check_vectors(std::string_view model, std::size_t dim, std::size_t n, std::span<const float> values) {
  if (values.size() != dim * n || dim == 0) {
    throw Error(Code::invalid, fmt::format("{} numbers for {} vectors of {}", values.size(), n, dim));
  }
  const auto odd = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (odd == values.end()) return;
  throw Error(Code::invalid,
              fmt::format("vector {} of {} holds {}: an embedder must give finite numbers, and {} did not",
                          (odd - values.begin()) / static_cast<std::ptrdiff_t>(dim) + 1, n, *odd, model));
}

}  // namespace hasten
