#include "readers/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/encoding.hpp"
#include "readers/format_list.hpp"

namespace hasten {
namespace {

/// Whether a cell can name a column: a short text that is no number.
bool is_name(std::string_view cell) {
  constexpr std::size_t kNameBytesMax = 64;
  const std::string_view name = utf8::trim(cell);
  if (name.empty() || name.size() > kNameBytesMax) return false;
  return name.find_first_not_of("0123456789.,+-%/: ") != std::string_view::npos;
}

/// Whether the first record names the columns: each cell is a name, and no two are the same.
bool is_header(const std::vector<std::string>& record) {
  return record.size() > 1 && std::all_of(record.begin(), record.end(), is_name) &&
         std::set<std::string>(record.begin(), record.end()).size() == record.size();
}

/// Writes records as text, bounded.
class TableText {
 public:
  explicit TableText(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// A paragraph of "name: cell" lines: each passage cut from it says what its values are.
  void add_named(const std::vector<std::string>& names, const std::vector<std::string>& record) {
    if (record_ended_) text_ += '\n';
    record_ended_ = false;
    for (std::size_t i = 0; i < record.size(); ++i) {
      const std::string_view cell = utf8::trim(record[i]);
      if (cell.empty()) continue;
      if (i < names.size()) text_.append(names[i]).append(": ");
      add_line(cell);
      record_ended_ = true;
    }
  }

  /// A line of "cell | cell".
  void add_plain(const std::vector<std::string>& record) {
    add_line(fmt::format("{}", fmt::join(record, " | ")));
  }

  std::string take() { return std::move(text_); }

 private:
  void add_line(std::string_view line) {
    text_.append(line).append(1, '\n');
    if (text_.size() > bytes_max_) {
      throw Error(Code::too_large, fmt::format("the text has more than {} bytes", bytes_max_));
    }
  }

  std::uint64_t bytes_max_;
  std::string text_;
  bool record_ended_ = false;  // the next one stands behind a blank line
};

/// Spreadsheets tell each other the separator in a first line "sep=;".
char take_separator(std::string_view& text, bool tabs) {
  if (text.size() > 5 && text.starts_with("sep=") && text[5] == '\n') {
    const char separator = text[4];
    text.remove_prefix(6);
    return separator;
  }
  return tabs ? '\t' : guess_separator(text);
}

std::string table_text(std::string_view text, bool tabs, std::uint64_t bytes_max) {
  const char separator = take_separator(text, tabs);
  CsvParser parser(text, separator);
  TableText table(bytes_max);
  std::vector<std::string> first, record;
  if (!parser.next(first)) return {};
  const bool more = parser.next(record);
  const bool named = more && is_header(first);
  if (!named) table.add_plain(first);
  for (auto& name : first) name = std::string(utf8::trim(name));
  for (bool left = more; left; left = parser.next(record)) {
    named ? table.add_named(first, record) : table.add_plain(record);
  }
  return table.take();
}

class CsvReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view name, const ReadLimits& limits) const override {
    const std::string text = decode_text(bytes, limits.text_bytes_max);
    const bool tabs = name.ends_with(".tsv") || name.ends_with(".TSV");
    return {table_text(text, tabs, limits.text_bytes_max), {}, "csv", {}};
  }
};

}  // namespace

std::unique_ptr<Reader> make_csv_reader() { return std::make_unique<CsvReader>(); }

bool CsvParser::next(std::vector<std::string>& cells) {
  cells.clear();
  while (at_ < text_.size() && text_[at_] == '\n') ++at_;
  if (at_ == text_.size()) return false;
  while (true) {
    cells.push_back(take_cell());
    if (cells.size() > kCellsMax) {
      throw Error(Code::too_large, fmt::format("a row has more than {} cells", kCellsMax));
    }
    if (at_ == text_.size()) return true;
    if (text_[at_++] == '\n') return true;
    if (at_ == text_.size()) {  // a separator ends the file: an empty cell follows it
      cells.emplace_back();
      return true;
    }
  }
}

std::string CsvParser::take_cell() {
  std::string cell;
  if (quotes_ && at_ < text_.size() && text_[at_] == '"') cell = take_quoted();
  const char ends[] = {separator_, '\n'};
  const std::size_t end =
      std::min(text_.find_first_of(std::string_view(ends, sizeof ends), at_), text_.size());
  cell += text_.substr(at_, end - at_);
  at_ = end;
  return cell;
}

std::string CsvParser::take_quoted() {
  std::string cell;
  std::size_t from = at_ + 1;
  while (true) {
    const std::size_t quote = text_.find('"', from);
    if (quote == std::string_view::npos) {
      quotes_ = false;
      return {};
    }
    cell += text_.substr(from, quote - from);
    from = quote + 1;
    if (from == text_.size() || text_[from] != '"') break;
    cell += '"';
    ++from;
  }
  at_ = from;
  return cell;
}

char guess_separator(std::string_view text) {
  constexpr std::size_t kSampleBytes = 64 << 10, kSampleRecords = 50;
  constexpr std::array kSeparators{',', ';', '\t', '|'};
  const std::string_view sample = text.substr(0, kSampleBytes);
  char best = ',';
  std::size_t best_score = 0;
  for (const char separator : kSeparators) {
    CsvParser parser(sample, separator);
    std::vector<std::string> record;
    std::map<std::size_t, std::size_t> rows_of_width;
    for (std::size_t i = 0; i < kSampleRecords && parser.next(record); ++i) {
      if (record.size() > 1) ++rows_of_width[record.size()];
    }
    for (const auto& [width, rows] : rows_of_width) {
      // Even rows tell more than wide ones: prose has commas too, but not as many in each line.
      const std::size_t score = rows * kSampleRecords + std::min(width, kSampleRecords - 1);
      if (score > best_score) {
        best = separator;
        best_score = score;
      }
    }
  }
  return best;
}

}  // namespace hasten
