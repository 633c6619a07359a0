#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// One store: what it is, and what it is told.
struct StoreSettings {
  std::string type;           ///< "local"
  std::string kwargs = "{}";  ///< a JSON object; its keys are the type's own (docs/stores.md)
  bool operator==(const StoreSettings&) const = default;
};

/// Where a knowledge base is kept: the segment store has the truth, the vector store finds the nearest
/// vectors.
struct Stores {
  StoreSettings segment_store{"local"};
  StoreSettings vector_store{"local"};  ///< "local": the segment store's segments, searched here
  std::vector<std::string> notices;     ///< what an older way of writing it was taken for
  bool operator==(const Stores&) const = default;

  /// From a type alone (`chroma`), or JSON of one of these shapes, of which the last is LazyLLM's older one:
  ///     {"type": "chroma", "kwargs": {…}}
  ///     {"segment_store": {"type": "local"}, "vector_store": {"type": "chroma", "kwargs": {…}}}
  ///     {"type": "map", "indices": {"smart_embedding_index": {"backend": "chroma", "kwargs": {…}}}}
  /// A type that keeps vectors alone stands beside a local segment store; a type that can keep both keeps
  /// the truth, and searches vectors where its kwargs say how (`index_kwargs`).
  /// @throws Error(invalid) no JSON; a key or type that is not known, with the nearest. The kwargs are looked
  ///         at when the store is opened.
  static Stores parse(std::string_view text);
};

}  // namespace hasten
