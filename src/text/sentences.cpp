#include "text/sentences.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/utf8.hpp"

namespace hasten {
namespace {

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char32_t c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char32_t c) { return is_upper(c) || is_lower(c) || c >= 0xC0; }

bool is_one_of(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

/// Ends a sentence wherever it stands: scripts that put no space after it.
bool is_wide_stop(char32_t c) { return is_one_of(c, U"。！？；…｡︒।॥۔؟"); }
/// Ends a sentence before a space.
bool is_narrow_stop(char32_t c) { return c == '.' || c == '!' || c == '?'; }
/// Belongs to the sentence whose stop it follows.
bool is_closing(char32_t c) { return is_one_of(c, U"\"')]}”’」』）】》〉»］｝〗〕"); }
bool is_opening(char32_t c) { return is_one_of(c, U"\"'([{“‘「『（【《〈«［"); }

/// "Dr", "e.g": a name or an example follows, capital or not.
bool is_title(std::string_view lower) {
  static const std::unordered_set<std::string_view> kTitles = {
      "mr",  "mrs", "ms",   "dr",     "prof", "st",   "rev",    "gen",   "col",  "capt", "lt",
      "sgt", "hon", "pres", "gov",    "sen",  "rep",  "mt",     "ft",    "vs",   "cf",   "viz",
      "e.g", "i.e", "ca",   "messrs", "mme",  "mlle", "approx", "a.k.a", "incl", "resp"};
  return kTitles.contains(lower);
}

/// "Fig", "Jan": a number follows.
bool precedes_number(std::string_view lower) {
  static const std::unordered_set<std::string_view> kWords = {
      "fig", "figs", "eq",  "eqs", "sec", "secs", "ch",  "chap", "vol", "no",  "nos",
      "p",   "pp",   "al",  "op",  "ref", "refs", "tab", "art",  "jan", "feb", "mar",
      "apr", "jun",  "jul", "aug", "sep", "sept", "oct", "nov",  "dec", "ver", "v"};
  return kWords.contains(lower);
}

/// "J", "U.S", "J.R.R"
bool is_initials(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto c = static_cast<unsigned char>(word[i]);
    if (i % 2 == 0 ? !is_upper(c) : c != '.') return false;
  }
  return word.size() % 2 == 1 && word != "I";
}

std::string lower_case(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (is_upper(static_cast<unsigned char>(c))) c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

/// "- item", "2) item"
bool is_list_item(std::string_view line) {
  const std::size_t marker = std::min(line.find_first_not_of("0123456789"), line.size());
  if (marker > 0 && marker <= 3 && marker + 1 < line.size()) {
    return (line[marker] == '.' || line[marker] == ')') && line[marker + 1] == ' ';
  }
  constexpr std::array<std::string_view, 8> kBullets = {"- ", "* ", "+ ", "• ", "· ", "‣ ", "– ", "— "};
  return std::any_of(kBullets.begin(), kBullets.end(),
                     [&](std::string_view bullet) { return line.starts_with(bullet); });
}

/// "| cell | cell |", "a<tab>b", "# Heading", "```", "-----": a line that stands for itself.
bool is_row(std::string_view line) {
  if (line.front() == '|' || line.front() == '#') return true;
  if (line.find(" | ") != std::string_view::npos) return true;
  if (line.find('\t') != std::string_view::npos) return true;
  if (line.starts_with("```") || line.starts_with("~~~")) return true;
  return line.size() >= 3 && line.find_first_not_of(line.front()) == std::string_view::npos &&
         std::string_view("-=*_").find(line.front()) != std::string_view::npos;
}

/// Shorter than text that fills its lines, and without an end: a heading or a line of verse.
bool is_short_title(std::string_view line) {
  constexpr std::size_t kTitleBytesMax = 60;
  if (line.size() > kTitleBytesMax) return false;
  const char32_t last = utf8::decode_before(line, line.size()).code_point;
  const char32_t first = utf8::decode(line, 0).code_point;
  return (is_upper(first) || is_digit(first) || utf8::is_cjk(first)) && !is_one_of(last, U",;-–—，、；");
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<Span> split() && {
    while (at_ < text_.size()) {
      const auto [c, size] = utf8::decode(text_, at_);
      if (c == '\n') {
        at_line_end();
        at_ += size;
      } else if (is_wide_stop(c) || is_narrow_stop(c)) {
        at_stop();
      } else {
        at_ += size;
      }
    }
    end_sentence(text_.size());
    return std::move(spans_);
  }

 private:
  /// Ends the sentence before `at`, without the white space around it.
  void end_sentence(std::size_t at) {
    const std::string_view sentence = utf8::trim(text_.substr(start_, at - start_));
    if (!sentence.empty()) {
      const auto from = static_cast<std::uint64_t>(sentence.data() - text_.data());
      spans_.push_back({from, from + sentence.size()});
    }
    start_ = at;
  }

  /// The line that begins at `from`, trimmed.
  std::string_view line_at(std::size_t from) const {
    const std::size_t end = std::min(text_.find('\n', from), text_.size());
    return utf8::trim(text_.substr(from, end - from));
  }

  void at_line_end() {
    const std::size_t began = std::exchange(line_, at_ + 1);
    const std::string_view ended = utf8::trim(text_.substr(began, at_ - began));
    const std::string_view next = line_at(line_);
    if (ended.empty() || next.empty() || is_list_item(next) || is_row(next) || is_row(ended) ||
        (is_short_title(ended) && starts_anew(next) && sentence_began_at(began))) {
      end_sentence(at_);
    }
  }

  bool sentence_began_at(std::size_t line) const {
    return start_ >= line || utf8::trim(text_.substr(start_, line - start_)).empty();
  }

  /// Whether a line begins as a sentence or a title does; a wrapped one seldom goes on so.
  static bool starts_anew(std::string_view line) {
    const char32_t first = utf8::decode(line, 0).code_point;
    return is_upper(first) || is_digit(first) || utf8::is_cjk(first) || is_opening(first);
  }

  /// At a stop: takes the stops and closing marks that follow it, and decides.
  void at_stop() {
    const std::size_t first = at_;
    std::size_t stops = 0;
    bool wide = false, dots = true;
    for (; at_ < text_.size(); ++stops) {
      const auto [c, size] = utf8::decode(text_, at_);
      if (!is_wide_stop(c) && !is_narrow_stop(c)) break;
      dots &= c == '.' || c == U'…';
      wide |= is_wide_stop(c);
      at_ += size;
    }
    skip_closing();
    // "she said …and", "wait... then": dots end a sentence only before a new one.
    const bool ellipsis = dots && (wide || stops > 1);
    const bool ends = ellipsis ? new_sentence_follows() : wide || narrow_ends(first, stops);
    if (ends) end_sentence(at_);
  }

  void skip_closing() {
    while (at_ < text_.size()) {
      const auto [c, size] = utf8::decode(text_, at_);
      if (!is_closing(c)) return;
      at_ += size;
    }
  }

  /// Whether what comes next begins a sentence: after white space, or in Chinese text.
  bool new_sentence_follows() const {
    const std::string_view rest = utf8::trim(text_.substr(at_, kLookAhead));
    if (rest.empty()) return true;
    const char32_t c = utf8::decode(rest, 0).code_point;
    if (utf8::is_cjk(c)) return true;
    return rest.data() != text_.data() + at_ && !is_lower(c) && !is_one_of(c, U",;:，、；：");
  }

  bool narrow_ends(std::size_t stop, std::size_t stops) const {
    if (at_ == text_.size()) return true;
    const char32_t next = utf8::decode(text_, at_).code_point;
    // Typed in Chinese text: "好的.我们走", but not "第3.节".
    if (utf8::is_cjk(next)) return utf8::is_cjk(utf8::decode_before(text_, stop).code_point);
    if (!utf8::is_space(next)) return false;  // 3.14, example.com, v1.2
    const bool full_stop = text_[stop] == '.' && stops == 1;
    return !is_lower(next_letter()) && !(full_stop && inside_sentence(stop));
  }

  /// The first character after white space and opening marks; 0: the end.
  char32_t next_letter() const {
    const std::string_view rest = utf8::trim(text_.substr(at_, kLookAhead));
    for (std::size_t at = 0; at < rest.size();) {
      const auto [c, size] = utf8::decode(rest, at);
      if (!is_opening(c)) return c;
      at += size;
    }
    return 0;
  }

  /// Whether the full stop belongs to an abbreviation, an initial or the number of a list.
  bool inside_sentence(std::size_t stop) const {
    std::size_t from = stop;
    while (from > start_ && stop - from < kWordBytesMax && is_word_byte(text_[from - 1])) --from;
    const std::string_view word = text_.substr(from, stop - from);
    const std::string lower = lower_case(word);
    return is_initials(word) || is_title(lower) || is_item_number(from, word) ||
           (precedes_number(lower) && is_digit(next_letter()));
  }

  /// "2." or "1.3." at the beginning of a line.
  bool is_item_number(std::size_t from, std::string_view word) const {
    return !word.empty() && word.size() <= 8 &&
           word.find_first_not_of("0123456789.") == std::string_view::npos && from - line_ <= kLookAhead &&
           utf8::trim(text_.substr(line_, from - line_)).empty();
  }

  static bool is_word_byte(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return is_letter(byte) || is_digit(byte) || c == '.' || byte >= 0x80;
  }

  static constexpr std::size_t kLookAhead = 64;     // bytes; a longer gap is as good as the end
  static constexpr std::size_t kWordBytesMax = 16;  // bytes; no abbreviation is longer

  std::string_view text_;
  std::size_t at_ = 0;     // what is looked at
  std::size_t start_ = 0;  // where the sentence began
  std::size_t line_ = 0;   // where the line began
  std::vector<Span> spans_;
};

}  // namespace

std::vector<Span> sentences(std::string_view text) { return Splitter(text).split(); }

}  // namespace hasten
