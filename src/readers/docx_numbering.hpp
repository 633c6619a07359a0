#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace pugi {
class xml_node;
}

namespace hasten {

/// The numbers that a word processor shows before list items and headings. They are not in the
/// text: numbering.xml says how they look, counting along the paragraphs what they are.
class DocxNumbering {
 public:
  static constexpr int kLevels = 9;

  /// Reads a <w:numbering>.
  void load(const pugi::xml_node& numbering);

  /// The level that a paragraph style is tied to in a list.
  std::optional<int> level_of_style(std::string_view list, std::string_view style) const;

  /// Counts a paragraph. @return "- " for a bullet, "2. ", "1.3 ", "(a) ", "第三章 " for a number,
  /// empty where the list shows none.
  std::string next_marker(const std::string& list, int level);

 private:
  struct Level {
    std::string format = "decimal";
    std::string text;  ///< "%1.%2": %n is the number of level n
    std::string style;
    int start = 1;
  };
  struct List {
    std::array<Level, kLevels> levels;
    std::array<std::optional<int>, kLevels> counts;
  };
  List* find(std::string_view list);
  const List* find(std::string_view list) const;
  static std::string label(const List& list, int level);

  std::map<std::string, List, std::less<>> lists_;         // by abstract id: they share their counts
  std::map<std::string, std::string, std::less<>> names_;  // list id -> abstract id
};

/// `number` in a format of ST_NumberFormat: "decimal", "lowerLetter", "upperRoman",
/// "chineseCounting", ... (ECMA-376, part 1, 17.18.59). An unknown one reads as decimal.
std::string format_number(int number, std::string_view format);

}  // namespace hasten
