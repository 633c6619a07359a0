#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// A text that a search shows.
struct PassagePlace {
  TextPlace place;
  std::optional<Id> text_hash;  ///< of a node's own text; nothing of other stretches, which are not kept
};

struct PassageTexts {
  std::vector<std::string> texts;  ///< in the order of the places
  std::size_t cached = 0;          ///< how many of them the cache had
};

/// Reads texts, those that the cache of passages has not at one go, and keeps them there. A text is kept
/// under its own hash, so that no change of a document makes it another.
/// @throws as SegmentStore::Reading::texts().
PassageTexts passage_texts(Caches& caches, const SegmentStore::Reading& reading,
                           std::span<const PassagePlace> places);

}  // namespace hasten
