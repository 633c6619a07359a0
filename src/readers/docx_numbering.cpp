#include "readers/docx_numbering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "readers/xml.hpp"

namespace hasten {
namespace {

int to_int(std::string_view text, int otherwise) {
  int value = 0;
  bool digits = false;
  for (const char c : text.substr(0, 6)) {
    if (c < '0' || c > '9') break;
    value = 10 * value + (c - '0');
    digits = true;
  }
  return digits ? value : otherwise;
}

std::string_view value_of(const pugi::xml_node& node, std::string_view name) {
  return attribute(child(node, name), "val");
}

std::string letters(int number) {  // a, b, ..., z, aa, bb, ...
  const auto letter = static_cast<char>('a' + (number - 1) % 26);
  return std::string(static_cast<std::size_t>(std::min((number - 1) / 26 + 1, 9)), letter);
}

std::string roman(int number) {
  constexpr std::array<std::pair<int, std::string_view>, 13> kDigits{{{1000, "m"},
                                                                      {900, "cm"},
                                                                      {500, "d"},
                                                                      {400, "cd"},
                                                                      {100, "c"},
                                                                      {90, "xc"},
                                                                      {50, "l"},
                                                                      {40, "xl"},
                                                                      {10, "x"},
                                                                      {9, "ix"},
                                                                      {5, "v"},
                                                                      {4, "iv"},
                                                                      {1, "i"}}};
  std::string text;
  for (const auto& [value, digit] : kDigits) {
    for (; number >= value; number -= value) text += digit;
  }
  return text;
}

std::string chinese(int number) {  // 1 to 99: 三, 十, 十二, 二十, 四十七
  constexpr std::array<std::string_view, 10> kDigits{"",   "一", "二", "三", "四",
                                                     "五", "六", "七", "八", "九"};
  const int tens = number / 10, ones = number % 10;
  std::string text;
  if (tens > 1) text += kDigits[static_cast<std::size_t>(tens)];
  if (tens > 0) text += "十";
  return text.append(kDigits[static_cast<std::size_t>(ones)]);
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

std::string format_number(int number, std::string_view format) {
  const bool small = number > 0 && number < 4000;  // beyond, no document counts so
  if (small && format == "lowerLetter") return letters(number);
  if (small && format == "upperLetter") return upper(letters(number));
  if (small && format == "lowerRoman") return roman(number);
  if (small && format == "upperRoman") return upper(roman(number));
  const bool counting = format.starts_with("chineseCounting") || format.starts_with("japaneseCounting") ||
                        format.starts_with("taiwaneseCounting");
  if (counting && number > 0 && number < 100) return chinese(number);
  if (format == "decimalZero") return fmt::format("{:02}", number);
  return fmt::format("{}", number);
}

void DocxNumbering::load(const pugi::xml_node& numbering) {
  for (const pugi::xml_node& node : numbering) {
    if (local_name(node) == "num") {
      names_[std::string(attribute(node, "numId"))] = value_of(node, "abstractNumId");
    }
    if (local_name(node) != "abstractNum") continue;
    List& list = lists_[std::string(attribute(node, "abstractNumId"))];
    for (const pugi::xml_node& each : node) {
      const int at = to_int(attribute(each, "ilvl"), kLevels);
      if (local_name(each) != "lvl" || at >= kLevels) continue;
      Level& level = list.levels[static_cast<std::size_t>(at)];
      level.format = value_of(each, "numFmt");
      level.text = value_of(each, "lvlText");
      level.style = value_of(each, "pStyle");
      level.start = to_int(value_of(each, "start"), 1);
    }
  }
}

const DocxNumbering::List* DocxNumbering::find(std::string_view list) const {
  const auto name = names_.find(list);
  if (name == names_.end()) return nullptr;
  const auto found = lists_.find(name->second);
  return found == lists_.end() ? nullptr : &found->second;
}

DocxNumbering::List* DocxNumbering::find(std::string_view list) {
  return const_cast<List*>(std::as_const(*this).find(list));
}

std::optional<int> DocxNumbering::level_of_style(std::string_view list, std::string_view style) const {
  const List* found = find(list);
  for (int level = 0; found != nullptr && level < kLevels; ++level) {
    if (found->levels[static_cast<std::size_t>(level)].style == style) return level;
  }
  return std::nullopt;
}

std::string DocxNumbering::next_marker(const std::string& list, int level) {
  List* found = find(list);
  if (found == nullptr || level < 0 || level >= kLevels) return {};
  const auto at = static_cast<std::size_t>(level);
  if (found->levels[at].format == "bullet") return "- ";
  std::optional<int>& count = found->counts[at];
  count = count ? *count + 1 : found->levels[at].start;
  std::fill(found->counts.begin() + level + 1, found->counts.end(), std::nullopt);
  const std::string text = found->levels[at].format == "none" ? "" : label(*found, level);
  return text.empty() ? text : text + ' ';
}

std::string DocxNumbering::label(const List& list, int level) {
  const std::string& text = list.levels[static_cast<std::size_t>(level)].text;
  std::string label;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int digit = text[i] == '%' && i + 1 < text.size() ? text[i + 1] - '1' : -1;
    if (digit < 0 || digit >= kLevels) {
      label += text[i];
      continue;
    }
    const auto at = static_cast<std::size_t>(digit);
    label += format_number(list.counts[at].value_or(list.levels[at].start), list.levels[at].format);
    ++i;
  }
  return label;
}

}  // namespace hasten
