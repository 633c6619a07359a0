#include "text/words.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/utf8.hpp"
#include "text/dictionary.hpp"
#include "text/folding.hpp"
#include "text/segmenter.hpp"
#include "text/stems.hpp"

namespace hasten {
namespace {

// Longer words are cut: they are encoded data, and no one searches for them.
constexpr std::size_t kWordBytesMax = 64;

// Chinese function words: in every text, and so in no question's favour.
constexpr std::u32string_view kHanStopWords = U"的了是在和与";

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_upper(c) || is_lower(c); }

/// A stretch of the text: letters, digits and marks, or several such and what joins them.
struct Part {
  std::size_t from;
  std::size_t to;
  std::size_t size() const noexcept { return to - from; }
};

EnglishStems& stems() {
  thread_local EnglishStems stems;  // a cache: each thread fills its own
  return stems;
}

/// Cuts one text, from left to right. Every rule was chosen by nDCG@10 on English and Chinese sets:
/// docs/words.md has the figures.
class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) { terms_.reserve(text.size() / 8); }

  std::vector<Term> cut() && {
    while (at_ < text_.size()) {
      const auto [c, size] = peek(at_);
      switch (class_of(c)) {
        case CharacterClass::letter:
        case CharacterClass::digit:
          cut_compound();
          break;
        case CharacterClass::han:
          cut_han();
          break;
        case CharacterClass::unspaced:
          cut_unspaced();
          break;
        case CharacterClass::mark:
        case CharacterClass::other:
          at_ += size;
          break;
      }
    }
    return std::move(terms_);
  }

 private:
  utf8::Decoded peek(std::size_t at) const {
    const auto byte = static_cast<unsigned char>(text_[at]);
    return byte < 0x80 ? utf8::Decoded{byte, 1} : utf8::decode(text_, at);
  }

  bool is_word_at(std::size_t at) const {
    if (at >= text_.size()) return false;
    const CharacterClass kind = class_of(peek(at).code_point);
    return kind == CharacterClass::letter || kind == CharacterClass::digit;
  }

  bool is_digit_at(std::size_t at) const { return at < text_.size() && is_digit(text_[at]); }

  std::string_view text_of(Part part) const { return text_.substr(part.from, part.size()); }

  void add(std::string_view term, Part part) {
    if (term.empty()) return;
    terms_.push_back(
        {std::string(term), static_cast<std::uint32_t>(part.from), static_cast<std::uint32_t>(part.to)});
  }

  /// Lower case, without accents; valid until the next call.
  const std::string& folded(std::string_view word) {
    folded_.assign(word);
    bool ascii = true;
    for (char& c : folded_) {
      ascii &= static_cast<unsigned char>(c) < 0x80;
      if (is_upper(c)) c = static_cast<char>(c + ('a' - 'A'));
    }
    if (!ascii) folded_ = fold(word);
    return folded_;
  }

  void add_word(Part part) { add(stems().stem(folded(text_of(part))), part); }

  // Words of letters and digits, and compounds of them: snake_case, v1.2.3, 1,000, U.S.

  void cut_compound() {
    parts_.assign(1, take_part());
    const std::size_t from = parts_.front().from;
    while (const std::size_t n = connector()) {
      if (at_ + n - from >= kWordBytesMax) break;
      at_ += n;
      parts_.push_back(take_part());
    }
    const Part whole{from, parts_.back().to};
    if (parts_.size() > 1 && add_number(whole)) return;
    if (parts_.size() > 1 && add_initials(whole)) return;
    if (parts_.size() > 1) add(folded(text_of(whole)), whole);
    for (const Part part : parts_) add_part(part);
    add_language_name(whole);
  }

  Part take_part() {
    const std::size_t from = at_;
    while (at_ < text_.size() && at_ - from < kWordBytesMax) {
      const auto [c, size] = peek(at_);
      const CharacterClass kind = class_of(c);
      if (kind != CharacterClass::letter && kind != CharacterClass::digit && kind != CharacterClass::mark) {
        break;
      }
      at_ += size;
    }
    return {from, at_};
  }

  /// Bytes of what joins the word that ends here to another right after it: "_" in snake_case,
  /// "." in v1.2.3; 0: nothing joins them. Hyphens do not: "beta-catenin" is found by its parts.
  std::size_t connector() const {
    if (at_ >= text_.size()) return 0;
    switch (text_[at_]) {
      case '_': {
        const std::size_t end = std::min(text_.find_first_not_of('_', at_), text_.size());
        return is_word_at(end) ? end - at_ : 0;
      }
      case '.':
        return is_word_at(at_ + 1) && !ends_sentence() ? 1 : 0;
      case ',':
        return separates_thousands() ? 1 : 0;
      default:
        return 0;
    }
  }

  /// "...the end.The next": a stop without its space.
  bool ends_sentence() const { return is_lower(text_[at_ - 1]) && is_upper(text_[at_ + 1]); }

  bool separates_thousands() const {
    return is_digit(text_[at_ - 1]) && is_digit_at(at_ + 1) && is_digit_at(at_ + 2) && is_digit_at(at_ + 3) &&
           !is_digit_at(at_ + 4);
  }

  /// 1,234.5 -> 1234.5; 1.2.3 as it stands.
  bool add_number(Part whole) {
    std::string number(text_of(whole));
    if (number.find_first_not_of("0123456789.,") != std::string::npos) return false;
    std::erase(number, ',');
    add(number, whole);
    return true;
  }

  /// U.S.A -> usa
  bool add_initials(Part whole) {
    const bool initials = std::all_of(parts_.begin(), parts_.end(), [&](Part part) {
      return part.size() == 1 && is_letter(text_[part.from]);
    });
    if (!initials) return false;
    std::string joined = folded(text_of(whole));
    std::erase(joined, '.');
    add(joined, whole);
    return true;
  }

  void add_part(Part part) {
    if (is_english_ending(part)) return;
    add_word(part);
    add_inner_parts(part);
  }

  /// C++, C#, F#
  void add_language_name(Part word) {
    if (word.size() != 1 || !is_letter(text_[word.from])) return;
    const std::string_view rest = text_.substr(word.to);
    const std::size_t signs = rest.starts_with("++") ? 2 : rest.starts_with('#') ? 1 : 0;
    if (signs == 0 || is_word_at(word.to + signs)) return;
    at_ += signs;
    add(folded(text_of({word.from, at_})), {word.from, at_});
  }

  /// The "s" of "the cell's", the "t" of "don't".
  bool is_english_ending(Part part) const {
    constexpr std::array<std::string_view, 8> kEndings = {"s", "t", "d", "m", "re", "ve", "ll", "S"};
    return part.size() <= 2 && follows_apostrophe(part.from) &&
           std::find(kEndings.begin(), kEndings.end(), text_of(part)) != kEndings.end();
  }

  bool follows_apostrophe(std::size_t at) const {
    constexpr std::string_view kCurly = "’";
    const std::string_view before = text_.substr(0, at);
    const std::size_t size = before.ends_with('\'') ? 1 : before.ends_with(kCurly) ? kCurly.size() : 0;
    if (size == 0 || at == size) return false;
    const auto previous = utf8::decode_before(text_, at - size);
    return class_of(previous.code_point) == CharacterClass::letter;
  }

  /// userName -> user, name; XMLParser -> xml, parser; covid19 -> covid, 19. Only pieces longer
  /// than one letter: the "m" of mRNA says nothing.
  void add_inner_parts(Part part) {
    std::size_t from = part.from;
    for (std::size_t at = part.from + 1; at <= part.to; ++at) {
      const bool end = at == part.to;
      if (end ? from == part.from : !is_seam(at, part.to)) continue;
      if (at - from > 1) add_word({from, at});
      from = at;
    }
  }

  /// Whether a word's part ends before text_[at]: where digits meet letters, and before a capital
  /// that follows a small letter or begins a word after capitals.
  bool is_seam(std::size_t at, std::size_t end) const {
    const char before = text_[at - 1], here = text_[at];
    if (is_digit(before) != is_digit(here)) return true;
    if (!is_upper(here) || at + 1 == end) return false;
    return is_lower(before) || (is_upper(before) && is_lower(text_[at + 1]));
  }

  // Characters without spaces between words.

  /// Chinese: jieba's words, and every pair of neighbours: what the words cut apart in the text
  /// and not in the question is still found. A word of two characters so counts twice.
  void cut_han() {
    take_run(CharacterClass::han);
    const Dictionary& words = dictionary();
    for (char32_t& c : run_) c = words.simplified(c);
    std::vector<WordRange> ranges = hasten::cut(words, run_);
    for (std::uint32_t i = 0; i + 1 < run_.size(); ++i) ranges.push_back({i, i + 2});
    std::sort(ranges.begin(), ranges.end());
    for (const WordRange range : ranges) {
      if (!is_stop_word(range)) add_run_term(range);
    }
  }

  bool is_stop_word(WordRange range) const {
    return range.to - range.from == 1 && kHanStopWords.find(run_[range.from]) != std::u32string_view::npos;
  }

  /// Kana, Hangul, Thai, ...: every pair of neighbours.
  void cut_unspaced() {
    take_run(CharacterClass::unspaced);
    if (run_.size() == 1) add_run_term({0, 1});
    for (std::uint32_t i = 0; i + 1 < run_.size(); ++i) add_run_term({i, i + 2});
  }

  void take_run(CharacterClass kind) {
    run_.clear();
    offsets_.clear();
    while (at_ < text_.size()) {
      const auto [c, size] = peek(at_);
      const CharacterClass here = class_of(c);
      if (here != kind && here != CharacterClass::mark) break;
      if (here == kind) {
        run_.push_back(c);
        offsets_.push_back(at_);
      }
      at_ += size;
    }
    offsets_.push_back(at_);
  }

  void add_run_term(WordRange range) {
    std::string term;
    for (std::uint32_t i = range.from; i < range.to; ++i) utf8::append(term, run_[i]);
    add(term, {offsets_[range.from], offsets_[range.to]});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Term> terms_;
  std::vector<Part> parts_;  // of the compound being cut
  std::string folded_;
  std::u32string run_;                // of characters without spaces
  std::vector<std::size_t> offsets_;  // where each of them begins, and the run's end
};

}  // namespace

std::vector<Term> terms(std::string_view text) { return Cutter(text).cut(); }

std::string_view terms_signature() noexcept { return "terms-1(nfkc,snowball-english,jieba,han-bigrams)"; }

}  // namespace hasten
