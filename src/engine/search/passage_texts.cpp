#include "engine/search/passage_texts.hpp"

#include <utility>

#include "core/ids.hpp"

namespace hasten {

PassageTexts passage_texts(Caches& caches, const SegmentStore::Reading& reading,
                           std::span<const PassagePlace> places) {
  PassageTexts found;
  found.texts.resize(places.size());
  std::vector<std::size_t> missing;
  std::vector<TextPlace> read;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& [place, hash] = places[i];
    if (auto text = hash ? caches.get(Cached::passages, id_bytes(*hash)) : std::nullopt) {
      found.texts[i] = std::move(*text);
      ++found.cached;
    } else {
      missing.push_back(i);
      read.push_back(place);
    }
  }
  std::vector<std::string> texts = reading.texts(read);
  for (std::size_t n = 0; n < missing.size(); ++n) {
    const std::size_t i = missing[n];
    if (places[i].text_hash) caches.put(Cached::passages, id_bytes(*places[i].text_hash), texts[n]);
    found.texts[i] = std::move(texts[n]);
  }
  return found;
}

}  // namespace hasten
