#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "hasten/transform.hpp"

namespace hasten {

/// A stretch of text that pieces are put together from; without white space around it.
struct Unit {
  Span span;
  std::size_t tokens;
};

/// What a text that is too long is cut at: each level goes on with the next where its parts are
/// still too long.
enum class Level {
  paragraph,  ///< blank lines
  line,
  sentence,
  clause,  ///< commas and the like, else white space, else any character
};

/// The level after one that is not Level::clause.
inline Level finer(Level level) { return static_cast<Level>(static_cast<int>(level) + 1); }

/// Cuts one text into units of at most chunk_size tokens, and packs units into pieces. Token counts
/// of a text's parts need not add up to that of the text: what is returned has been counted as it
/// is. Borrows text and counter. Counts every byte a bounded number of times.
class ChunkPacker {
 public:
  ChunkPacker(std::string_view text, const SplitOptions& options, const TokenCounter& tokens)
      : text_(text), options_(options), counter_(tokens) {}

  /// Appends `span` as one unit where it fits, else its parts. A character that alone has more
  /// than chunk_size tokens is a unit: nothing is left out.
  void cut(Span span, Level level, std::vector<Unit>& units) const;

  /// Neighbouring units as pieces of at most chunk_size tokens; each begins with the last whole
  /// units of the one before, of at most chunk_overlap tokens.
  std::vector<Span> pack(const std::vector<Unit>& units) const;

 private:
  Span trimmed(Span span) const;
  std::size_t count(Span span) const;
  void cut_clauses(Unit unit, std::vector<Unit>& units) const;
  Unit fitting_prefix(Span span, double bytes_per_token) const;
  Unit shrunk(Unit unit) const;
  Unit cut_well(Unit prefix) const;
  std::size_t begin_of_overlap(const std::vector<Unit>& units, std::size_t first, std::size_t last) const;
  std::size_t end_of_piece(const std::vector<Unit>& units, std::size_t first, std::size_t at_least) const;

  std::string_view text_;
  SplitOptions options_;
  const TokenCounter& counter_;
};

/// The parts of `span` that a level cuts it into (not Level::clause); each trimmed, none empty.
std::vector<Span> parts(std::string_view text, Span span, Level level);

}  // namespace hasten
