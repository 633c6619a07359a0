#include "readers/front_matter.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/utf8.hpp"
#include "core/metadata.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::size_t kBytesMax = 64 << 10;  // a longer block is no front matter
constexpr std::size_t kKeyBytesMax = 128;

// ---- values: what both languages share

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

json parse_plain(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  if (text.empty() || text == "null" || text == "~") return nullptr;
  if (const auto number = parse_number<std::int64_t>(text)) return *number;
  // from_chars takes "inf" and "nan", which are words here.
  const bool digits = text.find_first_of("0123456789") != std::string_view::npos;
  if (const auto number = digits ? parse_number<double>(text) : std::nullopt) return *number;
  return std::string(text);
}

/// The character that "\n", "\u4e2d", ... stand for; `at` is after the backslash and moves over it.
void append_escape(std::string& text, std::string_view quoted, std::size_t& at) {
  const char c = quoted[at++];
  const std::size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : c == 'x' ? 2 : 0;
  if (digits > 0) {
    std::uint32_t code_point = 0xFFFD;
    const std::string_view hex = quoted.substr(at, digits);
    std::from_chars(hex.data(), hex.data() + hex.size(), code_point, 16);
    const bool scalar = code_point != 0 && code_point <= 0x10FFFF && (code_point & 0xFFFFF800) != 0xD800;
    utf8::append(text, scalar ? code_point : 0xFFFD);
    at += hex.size();
  } else {
    text += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? ' ' : c == '0' ? ' ' : c;
  }
}

/// A cursor over one value.
class ValueParser {
 public:
  explicit ValueParser(std::string_view text) : text_(text) {}

  /// The value, or nothing where the text is of no shape that is read here.
  std::optional<json> parse() {
    std::optional<json> value = parse_value("#");
    skip_spaces();
    return at_ == text_.size() || text_[at_] == '#' ? std::move(value) : std::nullopt;
  }

 private:
  std::optional<json> parse_value(std::string_view ends) {
    skip_spaces();
    if (at_ == text_.size()) return json();
    const char c = text_[at_];
    if (c == '"' || c == '\'') return parse_quoted(c);
    if (c == '[') return parse_list();
    if (c == '{' || c == '&' || c == '*' || c == '!') return std::nullopt;
    return parse_plain(take_plain(ends));
  }

  std::optional<json> parse_quoted(char quote) {
    std::string value;
    for (++at_; at_ < text_.size();) {
      const char c = text_[at_++];
      if (c == '\\' && quote == '"' && at_ < text_.size()) {
        append_escape(value, text_, at_);
      } else if (c != quote) {
        value += c;
      } else if (quote == '\'' && at_ < text_.size() && text_[at_] == quote) {
        value += text_[at_++];
      } else {
        return value;
      }
    }
    return std::nullopt;
  }

  std::optional<json> parse_list() {
    json list = json::array();
    ++at_;
    while (true) {
      skip_spaces();
      if (at_ == text_.size()) return std::nullopt;
      if (text_[at_] == ']') break;
      if (text_[at_] == '[') return std::nullopt;  // lists of lists are no field
      std::optional<json> item = parse_value(",]");
      if (!item) return std::nullopt;
      list.push_back(*std::move(item));
      skip_spaces();
      if (at_ < text_.size() && text_[at_] == ',')
        ++at_;
      else if (at_ == text_.size() || text_[at_] != ']')
        return std::nullopt;
    }
    ++at_;
    return list;
  }

  /// Up to one of `ends`; '#' ends it only after a space, as "C#" is a word.
  std::string_view take_plain(std::string_view ends) {
    const std::size_t from = at_;
    for (; at_ < text_.size(); ++at_) {
      const bool ends_here = ends.find(text_[at_]) != std::string_view::npos;
      if (ends_here && (text_[at_] != '#' || at_ == from || text_[at_ - 1] == ' ')) break;
    }
    return utf8::trim(text_.substr(from, at_ - from));
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// ---- lines

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(" \t"), line.size()); }

bool is_blank_or_comment(std::string_view line) {
  const std::string_view text = utf8::trim(line);
  return text.empty() || text.front() == '#';
}

bool opens_list(std::string_view value) {
  return value.starts_with('[') && value.find(']') == std::string_view::npos;
}

struct Field {
  std::string key;
  std::string_view value;
};

/// "key: value" or "key = value". Quotes around the key are taken off.
std::optional<Field> split_field(std::string_view line, char separator) {
  const std::size_t at = line.find(separator);
  if (at == std::string_view::npos || at == 0 || at > kKeyBytesMax) return std::nullopt;
  const bool ends_word = at + 1 == line.size() || line[at + 1] == ' ' || line[at + 1] == '\t';
  if (separator == ':' && !ends_word) return std::nullopt;
  std::string_view key = utf8::trim(line.substr(0, at));
  if (key.size() > 1 && (key.front() == '"' || key.front() == '\'') && key.back() == key.front()) {
    key = key.substr(1, key.size() - 2);
  }
  if (key.empty()) return std::nullopt;
  return Field{std::string(key), utf8::trim(line.substr(at + 1))};
}

/// Fields out of the lines of a block. parse() is false where a line is no field.
class BlockParser {
 public:
  BlockParser(std::vector<std::string_view> lines, Metadata& fields)
      : lines_(std::move(lines)), fields_(fields) {}

  bool parse_yaml() {
    while (!done()) {
      const std::string_view line = lines_[next_++];
      if (is_blank_or_comment(line)) continue;
      const std::optional<Field> field = indent_of(line) == 0 ? split_field(line, ':') : std::nullopt;
      if (!field) return false;
      parse_yaml_value(*field);
    }
    return true;
  }

  bool parse_toml() {
    std::string table;
    while (!done()) {
      const std::string_view line = utf8::trim(lines_[next_++]);
      if (is_blank_or_comment(line)) continue;
      if (line.front() == '[') {
        table = std::string(utf8::trim(line.substr(1, line.find(']') - 1))) + ".";
        continue;
      }
      const std::optional<Field> field = split_field(line, '=');
      if (!field) return false;
      set(table + field->key, value_with_rest_of_list(field->value));
    }
    return true;
  }

 private:
  bool done() const { return next_ == lines_.size(); }

  void set(const std::string& key, std::string_view value) {
    if (const std::optional<json> parsed = ValueParser(value).parse()) set_json(key, *parsed);
  }

  void set_json(const std::string& key, const json& value) {
    if (auto field = value_from_json(value)) fields_.insert_or_assign(key, *std::move(field));
  }

  bool indented() const { return !done() && (indent_of(lines_[next_]) > 0 || lines_[next_].empty()); }
  bool at_item() const {
    return !done() && utf8::trim(lines_[next_]).starts_with('-') && lines_[next_] != "---";
  }

  void parse_yaml_value(const Field& field) {
    const char first = field.value.empty() ? '\0' : field.value.front();
    if (first == '|' || first == '>') {
      set_json(field.key, take_block(first == '|' ? '\n' : ' '));
    } else if (first == '\0' || first == '#') {
      skip_blank();
      at_item() ? set_json(field.key, take_items()) : take_table(field.key);
    } else {
      set(field.key, value_with_continuation(field.value));
    }
  }

  void skip_blank() {
    while (!done() && is_blank_or_comment(lines_[next_])) ++next_;
  }

  json take_items() {
    json items = json::array();
    for (; at_item(); skip_blank()) {
      const std::string_view item = utf8::trim(utf8::trim(lines_[next_++]).substr(1));
      if (std::optional<json> value = ValueParser(item).parse()) items.push_back(*std::move(value));
    }
    return items;
  }

  void take_table(const std::string& key) {
    for (; indented(); skip_blank()) {
      const std::optional<Field> field = split_field(utf8::trim(lines_[next_++]), ':');
      if (field) set(key + "." + field->key, field->value);
    }
  }

  std::string take_block(char join) {
    std::string text;
    for (; indented(); ++next_) {
      if (!text.empty()) text += join;
      text += utf8::trim(lines_[next_]);
    }
    return std::string(utf8::trim(text));
  }

  /// A plain value goes on in indented lines, a list until its bracket closes.
  std::string value_with_continuation(std::string_view value) {
    if (opens_list(value)) return value_with_rest_of_list(value);
    const std::string rest = take_block(' ');
    return rest.empty() ? std::string(value) : std::string(value) + ' ' + rest;
  }

  std::string value_with_rest_of_list(std::string_view value) {
    std::string whole(value);
    if (!opens_list(value)) return whole;
    while (!done()) {
      const std::string_view line = lines_[next_++];
      whole.append(1, ' ').append(utf8::trim(line));
      if (line.find(']') != std::string_view::npos) break;
    }
    return whole;
  }

  std::vector<std::string_view> lines_;
  std::size_t next_ = 0;
  Metadata& fields_;
};

}  // namespace

FrontMatter parse_front_matter(std::string_view text) {
  const bool yaml = text.starts_with("---\n");
  if (!yaml && !text.starts_with("+++\n")) return {};
  std::vector<std::string_view> lines;
  for (std::size_t at = 4; at < std::min(text.size(), kBytesMax);) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = std::min(end + 1, text.size());
    if (line == text.substr(0, 3) || (yaml && line == "...")) {
      FrontMatter found{{}, at};
      BlockParser parser(std::move(lines), found.fields);
      return (yaml ? parser.parse_yaml() : parser.parse_toml()) ? found : FrontMatter();
    }
    lines.push_back(line);
  }
  return {};
}

}  // namespace hasten
