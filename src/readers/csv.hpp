#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Splits a table of separated values (RFC 4180) into records, one at a time. Quoted cells hold
/// separators, line ends and doubled quotes. Lenient as the files are: rows of any length, text
/// after a closing quote, a quote inside an unquoted cell; a quote that nothing closes is a plain
/// character.
class CsvParser {
 public:
  /// @param text       UTF-8 with '\n' line ends; borrowed while the parser lives.
  /// @param separator  of cells.
  CsvParser(std::string_view text, char separator) : text_(text), separator_(separator) {}

  static constexpr std::size_t kCellsMax = std::size_t{1} << 20;

  /// Reads the next record into `cells`. False at the end. A line with nothing on it is no record.
  /// @throws Error(too_large) a record of more than kCellsMax cells.
  bool next(std::vector<std::string>& cells);

 private:
  std::string take_cell();
  std::string take_quoted();

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
  bool quotes_ = true;  // until one is found that nothing closes
};

/// The separator that parts the first records into the most even rows: one of , ; tab |.
char guess_separator(std::string_view text);

}  // namespace hasten
