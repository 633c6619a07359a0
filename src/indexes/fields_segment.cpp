#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/filter_expression.hpp"
#include "indexes/fields.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace fields_layout;

namespace {

[[noreturn]] void fail(std::string_view what) {
  throw Error(Code::damaged, fmt::format("a column of a segment of fields is wrong: {}", what));
}

// What lets the places of a column's parts be computed without overflow.
void check(const ColumnRow& row, std::uint64_t entries, std::uint64_t data_bytes) {
  if (row.type >= kTypes || row.form > Form::bitmaps || row.presence > Presence::bitmap) fail("its kind");
  if (row.present > entries || row.postings > kPostingsMax || row.values > row.postings) fail("its counts");
  if (row.data_at % 8 != 0 || row.data_at > data_bytes) fail("its place");
  if (Parts(row, entries).text > data_bytes) fail("its end");
}

}  // namespace

FieldColumn::FieldColumn(const Section& data, const ColumnRow& row, std::uint64_t entries)
    : data_(&data), row_(row), entries_(entries), parts_((check(row, entries, data.size()), row), entries) {}

bool FieldColumn::compares_with(const Value& literal) const noexcept {
  const auto type = static_cast<std::uint8_t>(literal.index());
  if (row_.type == kInteger || row_.type == kReal) return type == kInteger || type == kReal;
  return row_.type == kList ? type == kString : type == row_.type;
}

std::uint64_t FieldColumn::number(std::uint64_t value) const {
  return *reinterpret_cast<const std::uint64_t*>(data_->at(parts_.values + 8 * value, 8));
}

std::string_view FieldColumn::text(std::uint64_t value) const {
  const auto* const ends = reinterpret_cast<const std::uint64_t*>(data_->at(parts_.values + 8 * value, 16));
  const std::uint64_t from = ends[0], to = ends[1];
  if (from > to || to > data_->size()) fail("the end of a text");
  if (from == to) return {};
  return {reinterpret_cast<const char*>(data_->at(parts_.text + from, to - from)), to - from};
}

std::partial_ordering FieldColumn::order(std::uint64_t value, const Value& literal) const {
  if (is_text(row_.type)) return text(value) <=> std::string_view(std::get<std::string>(literal));
  const std::uint64_t bits = number(value);
  const auto whole = static_cast<std::int64_t>(bits);
  switch (row_.type) {
    case kReal:
      return *compare(std::bit_cast<double>(bits), literal);
    case kInteger:
      return *compare(whole, literal);
    case kBool:
      return (bits != 0) <=> std::get<bool>(literal);
    default:
      return whole <=> std::int64_t{std::get<Date>(literal).days};
  }
}

// The first value from `from` on of which `holds` is false; it is true of those before.
template <class Holds>
std::uint64_t FieldColumn::partition_point(std::uint64_t from, Holds holds) const {
  std::uint64_t to = row_.values;
  while (from < to) {
    const std::uint64_t middle = from + (to - from) / 2;
    if (holds(middle))
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

std::uint64_t FieldColumn::below(const Value& literal, bool or_equal) const {
  return partition_point(0, [&](std::uint64_t value) {
    const auto found = order(value, literal);
    return or_equal ? std::is_lteq(found) : std::is_lt(found);
  });
}

ValueRange FieldColumn::with_prefix(std::string_view prefix) const {
  const std::uint64_t from = below(std::string(prefix), false);
  return {from, partition_point(from, [&](std::uint64_t value) { return text(value).starts_with(prefix); })};
}

std::uint64_t FieldColumn::postings(ValueRange range) const {
  if (range.from >= range.to) return 0;
  const auto start = [&](std::uint64_t value) {
    return *reinterpret_cast<const std::uint32_t*>(data_->at(parts_.starts + 4 * value, 4));
  };
  const std::uint32_t from = start(range.from), to = start(range.to);
  if (from > to || to > row_.postings) fail("where a value's entries begin");
  return to - from;
}

// Calls function(entry) for n of them from a place in "data".
template <class Function>
void FieldColumn::for_each_listed(std::uint64_t at, std::uint64_t n, Function function) const {
  if (n == 0) return;
  const auto* const list = reinterpret_cast<const std::uint32_t*>(data_->at(at, 4 * n));
  for (std::uint64_t i = 0; i < n; ++i) {
    if (list[i] >= entries_) fail("an entry's position");
    function(list[i]);
  }
}

std::span<const std::uint64_t> FieldColumn::bits(std::uint64_t at) const {
  const std::uint64_t words = Bitmap::words_for(entries_);
  if (words == 0) return {};
  return {reinterpret_cast<const std::uint64_t*>(data_->at(at, 8 * words)), words};
}

void FieldColumn::add_entries(ValueRange range, Bitmap& found) const {
  const std::uint64_t n = postings(range);
  if (n == 0) return;
  if (has_bitmaps()) {
    const std::uint64_t bytes = 8 * Bitmap::words_for(entries_);
    for (std::uint64_t value = range.from; value < range.to; ++value) {
      found.add(bits(parts_.bitmaps + bytes * value));
    }
    return;
  }
  const std::uint64_t first = postings({0, range.from});
  if (first + n > row_.postings) fail("where a value's entries begin");
  for_each_listed(parts_.lists + 4 * first, n, [&](std::uint32_t entry) { found.set(entry); });
}

Bitmap FieldColumn::entries(ValueRange range) const {
  const std::uint64_t n = postings(range);
  // Where most entries pass it is less to take away the others; each has one value then.
  const bool most = row_.type != kList && row_.postings == row_.present && n > row_.postings / 2;
  if (has_bitmaps() || !most) {
    Bitmap found(entries_);
    add_entries(range, found);
    return found;
  }
  const std::uint64_t first = postings({0, range.from});
  if (first + n > row_.postings) fail("where a value's entries begin");
  Bitmap found = present_entries();
  const auto clear = [&](std::uint32_t entry) { found.clear(entry); };
  const std::uint64_t last = first + n;
  for_each_listed(parts_.lists, first, clear);
  for_each_listed(parts_.lists + 4 * last, row_.postings - last, clear);
  return found;
}

std::vector<std::uint32_t> FieldColumn::entries_of(std::uint64_t value) const {
  std::vector<std::uint32_t> found;
  const std::uint64_t n = postings({value, value + 1});
  if (has_bitmaps()) {
    entries({value, value + 1}).for_each([&](std::size_t at) {
      found.push_back(static_cast<std::uint32_t>(at));
    });
  } else {
    const std::uint64_t first = postings({0, value});
    for_each_listed(parts_.lists + 4 * first, n, [&](std::uint32_t entry) { found.push_back(entry); });
  }
  return found;
}

Bitmap FieldColumn::present_entries() const {
  Bitmap found(entries_);
  if (row_.presence == Presence::all) {
    found.set_all();
  } else if (row_.presence == Presence::bitmap) {
    found.add(bits(parts_.present_bits));
  } else {
    for_each_listed(parts_.present_list, row_.present, [&](std::uint32_t entry) { found.set(entry); });
  }
  return found;
}

FieldsSegment::FieldsSegment(const SegmentView& view)
    : view_(&view),
      keys_(view, kKeys),
      documents_(view, kDocuments),
      data_(view, kData),
      columns_(view, kColumns),
      names_(view, kNames) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.entries > kEntriesMax) {
    throw Error(Code::damaged,
                fmt::format("the header of a segment of fields is wrong: layout {}, {} entries",
                            header.layout, header.entries));
  }
  require_array<std::uint64_t>(view, kKeys, header.entries);
  require_array<std::uint32_t>(view, kDocuments, header.entries);
  require_array<ColumnRow>(view, kColumns, header.columns);
  entries_ = header.entries;
  columns_count_ = header.columns;
}

std::span<const std::uint64_t> FieldsSegment::keys() const {
  if (entries_ == 0) return {};
  return {keys_.array<std::uint64_t>(0, entries_), entries_};
}

std::span<const std::uint32_t> FieldsSegment::documents() const {
  if (entries_ == 0) return {};
  return {documents_.array<std::uint32_t>(0, entries_), entries_};
}

std::size_t FieldsSegment::find(std::uint64_t key) const {
  return find_sorted<std::uint64_t>(*view_, kKeys, entries_, key);
}

std::string_view FieldsSegment::name(const ColumnRow& row) const {
  if (row.name_bytes == 0) return {};
  return {reinterpret_cast<const char*>(names_.at(row.name_at, row.name_bytes)), row.name_bytes};
}

FieldsSegment::Column FieldsSegment::column(std::size_t number) const {
  return {name(row(number)), FieldColumn(data_, row(number), entries_)};
}

std::vector<FieldColumn> FieldsSegment::columns(std::string_view field) const {
  std::size_t from = 0, to = columns_count_;
  while (from < to) {
    const std::size_t middle = from + (to - from) / 2;
    if (name(row(middle)) < field)
      from = middle + 1;
    else
      to = middle;
  }
  std::vector<FieldColumn> found;
  for (; from < columns_count_ && found.size() < kTypes && name(row(from)) == field; ++from) {
    found.emplace_back(data_, row(from), entries_);
  }
  return found;
}

}  // namespace hasten
