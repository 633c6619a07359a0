#include "transforms/packing.hpp"

#include <algorithm>
#include <optional>

#include "base/utf8.hpp"
#include "text/sentences.hpp"

namespace hasten {
namespace {

std::string_view text_of(std::string_view text, Span span) { return text.substr(span.from, span.size()); }

Span trim(std::string_view text, Span span) {
  const std::string_view inner = utf8::trim(text_of(text, span));
  if (inner.empty()) return {span.from, span.from};
  const auto from = static_cast<std::uint64_t>(inner.data() - text.data());
  return {from, from + inner.size()};
}

void add_trimmed(std::string_view text, Span span, std::vector<Span>& parts) {
  const Span inner = trim(text, span);
  if (inner.size() > 0) parts.push_back(inner);
}

/// The next line feed in text[from, to), or `to`.
std::uint64_t end_of_line(std::string_view text, std::uint64_t from, std::uint64_t to) {
  return std::min<std::uint64_t>(text.substr(0, to).find('\n', from), to);
}

std::vector<Span> lines(std::string_view text, Span span) {
  std::vector<Span> found;
  for (std::uint64_t from = span.from; from < span.to;) {
    const std::uint64_t to = end_of_line(text, from, span.to);
    add_trimmed(text, {from, to}, found);
    from = to + 1;
  }
  return found;
}

std::vector<Span> paragraphs(std::string_view text, Span span) {
  std::vector<Span> found;
  std::uint64_t begin = span.from;
  for (std::uint64_t from = span.from; from < span.to;) {
    const std::uint64_t to = end_of_line(text, from, span.to);
    if (trim(text, {from, to}).size() == 0) {
      add_trimmed(text, {begin, to}, found);
      begin = to;
    }
    from = to + 1;
  }
  add_trimmed(text, {begin, span.to}, found);
  return found;
}

bool is_one_of(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

/// Where `prefix` is best cut: after the last clause mark of its second half, else at its last
/// white space. Nothing: neither is there.
std::optional<std::uint64_t> good_border(std::string_view text, Span prefix) {
  std::optional<std::uint64_t> space;
  const std::uint64_t half = prefix.from + prefix.size() / 2;
  bool before_space = false;  // whether white space follows the character looked at
  for (std::uint64_t at = prefix.to; at > prefix.from;) {
    const auto [c, size] = utf8::decode_before(text, at);
    const bool is_space = utf8::is_space(c);
    if (at > half) {
      if (is_one_of(c, U"，、；：。！？…—")) return at;
      if (before_space && is_one_of(c, U",;:.!?)-–—")) return at;
    } else if (space) {
      break;
    }
    if (is_space && !space) space = at - size;
    before_space = is_space;
    at -= size;
  }
  return space;
}

}  // namespace

std::vector<Span> parts(std::string_view text, Span span, Level level) {
  switch (level) {
    case Level::paragraph:
      return paragraphs(text, span);
    case Level::line:
      return lines(text, span);
    default:
      break;
  }
  std::vector<Span> found = sentences(text_of(text, span));
  for (Span& sentence : found) sentence = {sentence.from + span.from, sentence.to + span.from};
  return found;
}

Span ChunkPacker::trimmed(Span span) const { return trim(text_, span); }

std::size_t ChunkPacker::count(Span span) const { return counter_.count(text_of(text_, span)); }

void ChunkPacker::cut(Span span, Level level, std::vector<Unit>& units) const {
  span = trimmed(span);
  if (span.size() == 0) return;
  const Unit whole{span, count(span)};
  if (whole.tokens <= options_.chunk_size) {
    units.push_back(whole);
  } else if (level == Level::clause) {
    cut_clauses(whole, units);
  } else {
    for (const Span part : parts(text_, span, level)) cut(part, finer(level), units);
  }
}

void ChunkPacker::cut_clauses(Unit unit, std::vector<Unit>& units) const {
  const double bytes_per_token = static_cast<double>(unit.span.size()) / static_cast<double>(unit.tokens);
  Span rest = unit.span;
  while (rest.size() > 0) {
    Unit prefix = fitting_prefix(rest, bytes_per_token);
    if (prefix.span.to < rest.to) prefix = cut_well(prefix);
    units.push_back(prefix);
    rest = trimmed({prefix.span.to, rest.to});
  }
}

/// A beginning of `span` of at most chunk_size tokens, and not far fewer where the text is even.
Unit ChunkPacker::fitting_prefix(Span span, double bytes_per_token) const {
  const double bytes = bytes_per_token * static_cast<double>(options_.chunk_size);
  const auto guess = std::min(span.size(), static_cast<std::uint64_t>(bytes) + 1);
  const std::uint64_t first = span.from + utf8::decode(text_, span.from).size;
  const std::uint64_t border = utf8::floor_border(text_, span.from + guess);
  const Span prefix = trimmed({span.from, std::max(border, first)});
  Unit unit{prefix, count(prefix)};
  // The text is denser at its other places: take more as long as it fits.
  while (unit.span.to < span.to && unit.tokens * 4 < options_.chunk_size * 3) {
    const std::uint64_t more = std::min(span.size(), unit.span.size() * 5 / 4 + 8);
    const Span longer = trimmed({span.from, utf8::floor_border(text_, span.from + more)});
    const Unit next{longer, count(longer)};
    if (next.tokens > options_.chunk_size || next.span.to <= unit.span.to) break;
    unit = next;
  }
  return shrunk(unit);
}

/// `unit`, its end cut off until it fits or is one character.
Unit ChunkPacker::shrunk(Unit unit) const {
  const std::uint64_t from = unit.span.from;
  const std::uint64_t least = utf8::decode(text_, from).size;
  while (unit.tokens > options_.chunk_size && unit.span.size() > least) {
    const double share = static_cast<double>(options_.chunk_size) / static_cast<double>(unit.tokens);
    const auto bytes = static_cast<std::uint64_t>(share * static_cast<double>(unit.span.size()));
    const std::uint64_t shorter = std::min(bytes, unit.span.size() - 1);
    const std::uint64_t border = utf8::floor_border(text_, from + shorter);
    unit.span = trimmed({from, std::max(border, from + least)});
    unit.tokens = count(unit.span);
  }
  return unit;
}

/// `prefix`, cut back to the end of a clause or word where there is one.
Unit ChunkPacker::cut_well(Unit prefix) const {
  // The whole prefix may end with a word: then the white space after it is the border.
  const auto [next, size] = utf8::decode(text_, prefix.span.to);
  const Span seen{prefix.span.from, prefix.span.to + (utf8::is_space(next) ? size : 0)};
  const auto border = good_border(text_, seen);
  if (!border) return prefix;
  const Span span = trimmed({prefix.span.from, std::min(*border, prefix.span.to)});
  if (span == prefix.span || span.size() == 0) return prefix;
  return shrunk({span, count(span)});
}

std::vector<Span> ChunkPacker::pack(const std::vector<Unit>& units) const {
  std::vector<Span> pieces;
  std::size_t first = 0;                              // of the piece
  for (std::size_t next = 0; next < units.size();) {  // the first unit in no piece yet
    // A piece brings something new: overlap that leaves no room for it goes.
    std::size_t last = end_of_piece(units, first, next);
    while (last == next && first < next) last = end_of_piece(units, ++first, next);
    last = std::max(last, next + 1);
    pieces.push_back({units[first].span.from, units[last - 1].span.to});
    first = begin_of_overlap(units, first + 1, last);
    next = last;
  }
  return pieces;
}

/// @return the end of the longest piece from `first` that fits, not below `at_least`.
std::size_t ChunkPacker::end_of_piece(const std::vector<Unit>& units, std::size_t first,
                                      std::size_t at_least) const {
  std::size_t last = first, sum = 0;
  while (last < units.size() && sum + units[last].tokens <= options_.chunk_size) {
    sum += units[last++].tokens;
  }
  while (last > at_least && last > first + 1) {
    const std::size_t tokens = count({units[first].span.from, units[last - 1].span.to});
    if (tokens <= options_.chunk_size) break;
    // Drops by share, not one by one: counters that do not add up cost a few counts a piece.
    const double room =
        static_cast<double>(sum) * static_cast<double>(options_.chunk_size) / static_cast<double>(tokens);
    do {
      sum -= units[--last].tokens;
    } while (last > at_least && last > first + 1 && static_cast<double>(sum) > room);
  }
  return std::max(last, at_least);
}

/// @return the first of the units before `last`, and not before `first`, that the next piece
///         begins with; `last` for none.
std::size_t ChunkPacker::begin_of_overlap(const std::vector<Unit>& units, std::size_t first,
                                          std::size_t last) const {
  std::size_t begin = last, sum = 0;
  while (begin > first && sum + units[begin - 1].tokens <= options_.chunk_overlap) {
    sum += units[--begin].tokens;
  }
  while (last - begin > 1 &&
         count({units[begin].span.from, units[last - 1].span.to}) > options_.chunk_overlap) {
    ++begin;
  }
  return begin;
}

}  // namespace hasten
