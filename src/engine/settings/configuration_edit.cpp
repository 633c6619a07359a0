#include "engine/settings/configuration_edit.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "hasten/error.hpp"

namespace hasten {
namespace {

toml::table parse(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(Code::invalid,
                fmt::format("line {}: not TOML: {}", error.source().begin.line, error.description()));
  }
}

/// The byte where a line, counted from 1, begins; the text's end where there are not as many.
std::size_t line_begin(std::string_view text, std::size_t line) {
  std::size_t at = 0;
  for (; line > 1 && at < text.size(); --line) {
    const std::size_t end = text.find('\n', at);
    at = end == text.npos ? text.size() : end + 1;
  }
  return at;
}

std::size_t line_after(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == text.npos ? text.size() : end + 1;
}

/// Columns count code points from 1.
std::size_t byte_at(std::string_view text, toml::source_position position) {
  std::size_t at = line_begin(text, position.line);
  const auto continues = [&] {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  for (std::size_t column = position.column; column > 1 && at < text.size(); --column) {
    ++at;
    while (continues()) ++at;
  }
  return at;
}

std::string_view line_end_of(std::string_view text) { return text.find("\r\n") == text.npos ? "\n" : "\r\n"; }

/// The text with whole lines put in at the beginning of a line.
std::string with_lines(std::string_view text, std::size_t at, std::string_view lines) {
  std::string result(text.substr(0, at));
  if (!result.empty() && result.back() != '\n') result += line_end_of(text);
  result += lines;
  result += line_end_of(text);
  result += text.substr(at);
  return result;
}

/// Whether a value is [a table] or [[tables]] of lines of their own.
bool has_header(const toml::node& value) {
  const toml::array* const array = value.as_array();
  const toml::node* const first = array == nullptr || array->empty() ? &value : array->get(0);
  return first->is_table() && !first->as_table()->is_inline();
}

/// Behind the last key that stands before all tables; with none, before the first line that is no comment.
std::size_t end_of_top_keys(std::string_view text, const toml::table& all) {
  std::size_t last = 0;
  for (const auto& [key, value] : all) {
    if (!has_header(value)) last = std::max<std::size_t>(last, value.source().end.line);
  }
  if (last > 0) return line_begin(text, last + 1);
  std::size_t at = 0;  // a comment that stands by itself at the top is the file's
  const auto is_comment = [&](std::size_t i) { return i < text.size() && text[i] == '#'; };
  while (is_comment(at)) at = line_after(text, at);
  const bool of_the_file = at == text.size() || text[at] == '\n' || text[at] == '\r';
  return of_the_file ? at : 0;
}

std::string add_key(std::string_view text, const toml::table& all, const TomlChange& change) {
  const std::string line = fmt::format("{} = {}", change.key, change.value);
  if (change.table.empty()) return with_lines(text, end_of_top_keys(text, all), line);
  const auto found = all.find(change.table);
  if (found == all.end()) {
    const std::string header = fmt::format("[{}]{}", change.table, line_end_of(text));
    const bool blank = text.empty() || text.ends_with("\n\n") || text.ends_with("\n\r\n");
    const std::string before = blank ? "" : std::string(line_end_of(text));
    return with_lines(text, text.size(), before + header + line);
  }
  const toml::table* const table = found->second.as_table();
  if (table == nullptr) throw Error(Code::invalid, fmt::format("{} is no table", change.table));
  if (table->is_inline()) {
    std::string result(text);
    const std::size_t at = text.find('{', byte_at(text, table->source().begin));
    return result.insert(at + 1, table->empty() ? fmt::format(" {} ", line) : fmt::format(" {},", line));
  }
  const std::size_t begin = line_begin(text, table->source().begin.line);
  const std::size_t first = std::min(text.find_first_not_of(" \t", begin), text.size());
  if (first < text.size() && text[first] == '[') return with_lines(text, line_after(text, begin), line);
  return with_lines(text, begin, fmt::format("{}.{}", change.table, line));  // index.kind = ..
}

std::string set_key(std::string_view text, const TomlChange& change) {
  const toml::table all = parse(text);
  const toml::node* node = all.get(change.key);
  if (!change.table.empty()) {
    const toml::table* const table = all.get_as<toml::table>(change.table);
    node = table == nullptr ? nullptr : table->get(change.key);
  }
  if (node == nullptr) return add_key(text, all, change);
  const std::size_t from = byte_at(text, node->source().begin), to = byte_at(text, node->source().end);
  return std::string(text.substr(0, from)) + change.value + std::string(text.substr(to));
}

std::string as_json(const toml::table& table) {
  std::ostringstream text;
  text << toml::json_formatter(table);
  return text.str();
}

/// Whether a file says what a change wants.
bool says(const toml::table& all, const TomlChange& change) {
  toml::table wanted = parse(fmt::format("{} = {}", change.key, change.value)), found;
  const toml::table* const table = change.table.empty() ? &all : all.get_as<toml::table>(change.table);
  const toml::node* const node = table == nullptr ? nullptr : table->get(change.key);
  if (node == nullptr) return false;
  found.insert(change.key, *node);
  return as_json(found) == as_json(wanted);
}

/// What a file says beside the changes, as one line that can be compared.
std::string meaning(toml::table all, std::span<const TomlChange> changes) {
  for (const TomlChange& change : changes) {
    if (change.table.empty()) {
      all.erase(change.key);
    } else if (auto* table = all.get_as<toml::table>(change.table)) {
      table->erase(change.key);
      if (table->empty()) all.erase(change.table);
    }
  }
  return as_json(all);
}

}  // namespace

std::string edit_toml(std::string_view text, std::span<const TomlChange> changes) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // it counts as no column
  const std::string_view mark = text.starts_with(kByteOrderMark) ? kByteOrderMark : "";
  text.remove_prefix(mark.size());
  std::string edited(text);
  for (const TomlChange& change : changes) edited = set_key(edited, change);
  const toml::table after = parse(edited);
  const bool said =
      std::ranges::all_of(changes, [&](const TomlChange& change) { return says(after, change); });
  if (!said || meaning(after, changes) != meaning(parse(text), changes)) {
    throw Error(Code::internal, "setting a key in this TOML would change another; set it by hand");
  }
  return std::string(mark) + edited;
}

}  // namespace hasten
