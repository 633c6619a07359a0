#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/encoding.hpp"
#include "readers/format_list.hpp"

namespace hasten {
namespace {

[[noreturn]] void fail(std::string_view text, std::size_t at, std::string_view what) {
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  throw Error(Code::corrupt, fmt::format("broken JSON in line {} (byte {}): {}", line, at, what));
}

bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// The text that JSON becomes: a line "path: value" for each scalar, the scalars of an array side
/// by side on one, a blank line between the records (the objects of an array, the values of a
/// stream).
class JsonText {
 public:
  explicit JsonText(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  void scalar(const std::vector<std::string>& path, std::string_view value, bool beside_last) {
    if (beside_last && !text_.empty()) {
      text_.back() = ',';  // the line end of the one before
      text_ += ' ';
    } else {
      if (std::exchange(record_ended_, false) && !text_.empty()) text_ += '\n';
      append_path(path);
    }
    text_.append(value).append(1, '\n');
    check();
  }

  /// A value as it stands: what could not be read.
  void verbatim(std::string_view line) {
    text_.append(line).append(1, '\n');
    check();
  }

  void end_record() { record_ended_ = true; }
  std::size_t size() const { return text_.size(); }
  void cut(std::size_t size) { text_.resize(size); }
  std::string take() { return std::move(text_); }

 private:
  // Long paths would make small files large.
  static constexpr std::size_t kPathMax = 8;

  void append_path(const std::vector<std::string>& path) {
    const std::size_t from = path.size() > kPathMax ? path.size() - kPathMax : 0;
    for (std::size_t i = from; i < path.size(); ++i) {
      text_.append(path[i]).append(i + 1 < path.size() ? "." : ": ");
    }
  }

  void check() const {
    if (text_.size() > bytes_max_) {
      throw Error(Code::too_large, fmt::format("the text has more than {} bytes", bytes_max_));
    }
  }

  std::uint64_t bytes_max_;
  std::string text_;
  bool record_ended_ = false;
};

/// Reads one JSON value (RFC 8259) after the other and writes its text. Nesting costs a byte a
/// level and no stack, so its depth needs no bound.
class JsonParser {
 public:
  JsonParser(std::string_view text, JsonText& out) : text_(text), out_(out) {}

  /// Reads a value. False where nothing is left but white space.
  bool next() {
    skip_spaces();
    if (at_ == text_.size()) return false;
    do {
      value();
    } while (!levels_.empty() && after_value());
    out_.end_record();
    return true;
  }

 private:
  enum class Level : char { object, array, array_of_scalars };

  /// A scalar, or the begin of a container and, in it, of its first value.
  void value() {
    while (true) {
      skip_spaces();
      const char c = peek();
      if (c == '{' || c == '[') {
        ++at_;
        skip_spaces();
        if (peek() == (c == '{' ? '}' : ']')) {
          ++at_;
          return container_ended();
        }
        levels_.push_back(c == '{' ? Level::object : Level::array);
        if (c == '{') key();
        continue;
      }
      return scalar(c);
    }
  }

  void container_ended() {
    if (!levels_.empty() && levels_.back() != Level::object) {
      levels_.back() = Level::array;
      out_.end_record();
    }
  }

  /// Moves to the next value of the innermost container, closing those that end. False when all
  /// have.
  bool after_value() {
    while (!levels_.empty()) {
      const bool object = levels_.back() == Level::object;
      skip_spaces();
      const char c = peek();
      ++at_;
      if (object) path_.pop_back();
      if (c == ',') {
        if (object) key();
        return true;
      }
      if (c != (object ? '}' : ']'))
        fail(text_, at_ - 1, object ? "expected ',' or '}'" : "expected ',' or ']'");
      levels_.pop_back();
      container_ended();
    }
    return false;
  }

  void key() {
    constexpr std::size_t kKeyBytesMax = 64, kDepthMax = std::size_t{1} << 20;
    if (path_.size() == kDepthMax) {
      throw Error(Code::too_large, fmt::format("JSON nested deeper than {} objects", kDepthMax));
    }
    skip_spaces();
    if (peek() != '"') fail(text_, at_, "expected a key in quotes");
    std::string key = string();
    key.resize(utf8::floor_border(key, kKeyBytesMax));
    path_.push_back(std::move(key));
    skip_spaces();
    if (peek() != ':') fail(text_, at_, "expected ':' after the key");
    ++at_;
  }

  void scalar(char first) {
    const bool beside_last = !levels_.empty() && levels_.back() == Level::array_of_scalars;
    if (first == '"') {
      const std::string value = string();
      if (!utf8::trim(value).empty()) emit(value, beside_last);
      return;
    }
    const std::string_view word = take_word();
    if (word == "null") return;
    if (word != "true" && word != "false" && !is_number(word)) {
      fail(text_, at_ - word.size(), word.empty() ? "expected a value" : "no such value");
    }
    emit(word, beside_last);
  }

  void emit(std::string_view value, bool beside_last) {
    // Texts of some length stand on their own lines.
    constexpr std::size_t kBesideBytesMax = 80;
    out_.scalar(path_, value, beside_last && value.size() <= kBesideBytesMax);
    if (!levels_.empty() && levels_.back() == Level::array) levels_.back() = Level::array_of_scalars;
  }

  std::string string() {
    std::string value;
    for (++at_;;) {
      const std::size_t end = std::min(text_.find_first_of("\"\\", at_), text_.size());
      value += text_.substr(at_, end - at_);
      at_ = end;
      if (at_ == text_.size()) fail(text_, at_, "a string does not end");
      if (text_[at_++] == '"') return value;
      escape(value);
    }
  }

  void escape(std::string& value) {
    const char c = peek();
    ++at_;
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/  \n\n\t";
    if (c == 'u') return unicode_escape(value);
    const std::size_t i = kLetters.find(c);
    if (i == std::string_view::npos) fail(text_, at_ - 1, "no such escape");
    value += kMeanings[i];
  }

  /// \u4e2d, or two of them for one character beyond U+FFFF; a half without its other is U+FFFD.
  void unicode_escape(std::string& value) {
    char32_t c = hex4();
    if (c >= 0xD800 && c < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      const std::size_t back = at_;
      at_ += 2;
      const char32_t low = hex4();
      if (low >= 0xDC00 && low < 0xE000) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = back;
      }
    }
    if (c >= 0xD800 && c < 0xE000) c = 0xFFFD;
    utf8::append(value, c == 0 ? U' ' : c);
  }

  char32_t hex4() {
    std::uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || end != digits.data() + 4)
      fail(text_, at_, "expected four hexadecimal digits");
    at_ += 4;
    return code;
  }

  std::string_view take_word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && !is_json_space(text_[at_]) &&
           std::string_view(",:[]{}\"").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }

  static bool is_number(std::string_view word) {
    std::size_t at = word.starts_with('-') ? 1 : 0;
    const auto digits = [&] {
      const std::size_t from = at;
      while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
      return at > from;
    };
    const std::size_t whole = at;
    if (!digits()) return false;
    if (word[whole] == '0' && at > whole + 1) return false;
    if (at < word.size() && word[at] == '.' && (++at, !digits())) return false;
    if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
      ++at;
      if (at < word.size() && (word[at] == '+' || word[at] == '-')) ++at;
      if (!digits()) return false;
    }
    return at == word.size();
  }

  void skip_spaces() {
    while (at_ < text_.size() && is_json_space(text_[at_])) ++at_;
  }

  char peek() const {
    if (at_ == text_.size()) fail(text_, at_, "the text ends within a value");
    return text_[at_];
  }

  std::string_view text_;
  JsonText& out_;
  std::size_t at_ = 0;
  std::vector<Level> levels_;
  std::vector<std::string> path_;  // the keys down to the value that is read
};

/// @return how many values there were.
std::size_t write_values(std::string_view text, JsonText& out) {
  JsonParser parser(text, out);
  std::size_t values = 0;
  while (parser.next()) ++values;
  return values;
}

struct Lines {
  std::size_t read = 0, broken = 0;
};

// Beyond these and one line in ten, it is no JSONL, and the time that errors take is bounded.
constexpr std::size_t kBrokenMax = 1000;

/// Line by line: a broken line costs no other. It is kept as it stands, so that its words are
/// found.
Lines write_lines(std::string_view text, JsonText& out) {
  Lines lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t before = out.size();
    try {
      lines.read += write_values(line, out) > 0;
    } catch (const Error& error) {
      if (error.code() != Code::corrupt) throw;
      out.cut(before);
      out.verbatim(line);
      ++lines.broken;
      if (lines.broken > kBrokenMax + lines.read / 10) throw;
    }
  }
  return lines;
}

class JsonReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    const std::string json = decode_text(bytes, limits.text_bytes_max);
    JsonText text(limits.text_bytes_max);
    const bool stream = write_values(json, text) > 1;
    return {text.take(), {}, stream ? "jsonl" : "json", {}};
  }
};

class JsonlReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    const std::string json = decode_text(bytes, limits.text_bytes_max);
    JsonText text(limits.text_bytes_max);
    try {
      write_values(json, text);  // values may take several lines
    } catch (const Error& error) {
      if (error.code() != Code::corrupt) throw;
      text = JsonText(limits.text_bytes_max);
      const Lines lines = write_lines(json, text);
      if (lines.broken > lines.read) throw;
      return {text.take(), {{"broken_lines", static_cast<std::int64_t>(lines.broken)}}, "jsonl", {}};
    }
    return {text.take(), {}, "jsonl", {}};
  }
};

}  // namespace

std::unique_ptr<Reader> make_json_reader() { return std::make_unique<JsonReader>(); }
std::unique_ptr<Reader> make_jsonl_reader() { return std::make_unique<JsonlReader>(); }

}  // namespace hasten
