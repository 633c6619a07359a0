#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "core/bitmap.hpp"
#include "hasten/node.hpp"

namespace hasten::fields_layout {

// The sections of a segment of fields; docs/format-segments.md.
inline constexpr std::string_view kHeader = "header";        // one Header
inline constexpr std::string_view kKeys = "keys";            // u64 an entry: document or node number, rising
inline constexpr std::string_view kDocuments = "documents";  // u32 an entry
inline constexpr std::string_view kData = "data";            // the columns, one after the other
inline constexpr std::string_view kColumns = "columns";      // a ColumnRow each, by name, then type
inline constexpr std::string_view kNames = "names";          // bytes of the fields' names

inline constexpr std::uint64_t kLayout = 1;
inline constexpr std::uint64_t kEntriesMax = std::uint64_t{1} << 28;
inline constexpr std::uint64_t kPostingsMax = UINT32_MAX;  // of a column

struct Header {
  std::uint64_t layout;
  std::uint64_t entries;
  std::uint64_t columns;
};

// How a column says which entries have a value, and how it says which have the field at all.
enum class Form : std::uint8_t { lists, bitmaps };
enum class Presence : std::uint8_t { all, list, bitmap };

// A column's type is the number of its alternative in Value.
inline constexpr std::uint8_t kBool = 0, kInteger = 1, kReal = 2, kString = 3, kDate = 4, kList = 5,
                              kTypes = 6;
static_assert(std::is_same_v<std::variant_alternative_t<kBool, Value>, bool> &&
              std::is_same_v<std::variant_alternative_t<kInteger, Value>, std::int64_t> &&
              std::is_same_v<std::variant_alternative_t<kReal, Value>, double> &&
              std::is_same_v<std::variant_alternative_t<kString, Value>, std::string> &&
              std::is_same_v<std::variant_alternative_t<kDate, Value>, Date> &&
              std::is_same_v<std::variant_alternative_t<kList, Value>, std::vector<std::string>> &&
              std::variant_size_v<Value> == kTypes);

constexpr bool is_text(std::uint8_t type) { return type == kString || type == kList; }

struct ColumnRow {
  std::uint64_t name_at;  // in "names"
  std::uint32_t name_bytes;
  std::uint8_t type;
  Form form;
  Presence presence;
  std::uint8_t reserved;
  std::uint64_t present;   // entries that have the field
  std::uint64_t values;    // distinct ones
  std::uint64_t postings;  // pairs of entry and value
  std::uint64_t data_at;   // in "data", at an 8-byte border
};
static_assert(sizeof(ColumnRow) == 48 && std::is_trivially_copyable_v<ColumnRow>);

// Where the parts of a column lie in "data": those of 8 bytes first, so that all are aligned.
struct Parts {
  std::uint64_t values;   // 8 bytes a value; of texts its end and, before the first, 0
  std::uint64_t bitmaps;  // u64[values][words]
  std::uint64_t present_bits;
  std::uint64_t starts;  // u32[values + 1]: where a value's postings begin
  std::uint64_t lists;   // u32[postings]: entries, value by value
  std::uint64_t present_list;
  std::uint64_t text;  // to the column's end

  Parts(const ColumnRow& row, std::uint64_t entries) {
    const std::uint64_t words = Bitmap::words_for(entries);
    values = row.data_at;
    bitmaps = values + 8 * (row.values + is_text(row.type));
    present_bits = bitmaps + (row.form == Form::bitmaps ? 8 * row.values * words : 0);
    starts = present_bits + (row.presence == Presence::bitmap ? 8 * words : 0);
    lists = starts + 4 * (row.values + 1);
    present_list = lists + (row.form == Form::lists ? 4 * row.postings : 0);
    text = present_list + (row.presence == Presence::list ? 4 * row.present : 0);
  }
};

}  // namespace hasten::fields_layout
