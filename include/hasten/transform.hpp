#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/embedder.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// One node to be, made from a parent: an exact piece of its text, or a text of its own.
struct Piece {
  Span span;         ///< bytes of the *parent's* text
  std::string text;  ///< only when derived: otherwise the text is parent.text[span]
  bool derived = false;
  Metadata metadata;  ///< fields of its own, over the parent's
};

/// Turns a node into nodes. Pure: equal input and signature give equal output. Thread-safe.
class Transform {
 public:
  virtual ~Transform() = default;
  /// @return pieces in the order of the text; spans lie within parent.text, on character borders.
  virtual std::vector<Piece> apply(const Node& parent) const = 0;
  /// Names everything that the output depends on: "sentence(256,25,e5)". Nodes are made anew
  /// when it changes.
  virtual std::string signature() const = 0;
};

/// Settings of the splitters; sizes in tokens of the embedder (in characters for "character").
struct SplitOptions {
  std::size_t chunk_size = 256;    ///< no piece is longer, unless one character alone is
  std::size_t chunk_overlap = 25;  ///< at most so much of the end of a piece begins the next
};

/// A built-in splitter: "sentence", "recursive", "character" or "markdown".
/// @param tokens  outlives the transform; may be null for "character" only.
/// @throws Error(not_found) an unknown name, listing the known ones; Error(invalid) sizes that
///         cannot be met.
std::unique_ptr<Transform> make_splitter(std::string_view name, const SplitOptions& options,
                                         std::shared_ptr<const TokenCounter> tokens);

/// A transform from the user's own function. `signature` must change when the function does.
std::unique_ptr<Transform> make_transform(std::string signature,
                                          std::function<std::vector<Piece>(const Node&)> function);

}  // namespace hasten
