#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bitmap.hpp"
#include "core/segment.hpp"
#include "hasten/node.hpp"
#include "indexes/column_builder.hpp"
#include "indexes/fields_layout.hpp"

namespace hasten {

/// Builds a segment of fields: typed columns over entries, which are documents, or nodes with fields of
/// their own. A field that comes with several types has a column of each.
class FieldsBuilder {
 public:
  /// @param key  the document's or node's number; above the one before.
  void add(std::uint64_t key, std::uint32_t document, const Metadata& fields);
  std::size_t size() const noexcept { return keys_.size(); }
  std::size_t bytes() const noexcept;  ///< about what it holds in memory
  /// @throws what the sink throws; Error(too_large) more than 2^28 entries. Ends the builder.
  void write(SegmentSink& sink);

 private:
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> documents_;
  std::map<std::pair<std::string, std::uint8_t>, ColumnBuilder> columns_;
};

/// Values [from, to) of a column, in their order.
struct ValueRange {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// The values of one field and type, sorted, and which entries have which. A value and a range of values
/// are found by binary search; so is a prefix, whose texts stand together. A list's items are its values.
/// Borrows the segment. Thread-safe; everything throws Error(damaged) on what cannot be.
class FieldColumn {
 public:
  FieldColumn(const Section& data, const fields_layout::ColumnRow& row, std::uint64_t entries);

  std::uint8_t type() const noexcept { return row_.type; }
  bool has_bitmaps() const noexcept { return row_.form == fields_layout::Form::bitmaps; }
  std::uint64_t values() const noexcept { return row_.values; }
  std::uint64_t present() const noexcept { return row_.present; }
  /// Whether comparing with such a literal can be true.
  bool compares_with(const Value& literal) const noexcept;
  /// How many values are less than the literal, or with `or_equal` not greater.
  std::uint64_t below(const Value& literal, bool or_equal) const;
  ValueRange equal_to(const Value& literal) const { return {below(literal, false), below(literal, true)}; }
  ValueRange with_prefix(std::string_view prefix) const;
  /// How many pairs of entry and value the range has: of what is no list, how many entries.
  std::uint64_t postings(ValueRange range) const;
  /// The entries that have a value of the range, or the field at all.
  Bitmap entries(ValueRange range) const;
  /// Adds them to a set. @param found  of entries of this segment.
  void add_entries(ValueRange range, Bitmap& found) const;
  Bitmap present_entries() const;
  std::vector<std::uint32_t> entries_of(std::uint64_t value) const;

  /// Bits of a number, bool or date.
  std::uint64_t number(std::uint64_t value) const;
  std::string_view text(std::uint64_t value) const;

 private:
  std::partial_ordering order(std::uint64_t value, const Value& literal) const;
  template <class Holds>
  std::uint64_t partition_point(std::uint64_t from, Holds holds) const;
  template <class Function>
  void for_each_listed(std::uint64_t at, std::uint64_t n, Function function) const;
  std::span<const std::uint64_t> bits(std::uint64_t at) const;

  const Section* data_;
  fields_layout::ColumnRow row_;
  std::uint64_t entries_;
  fields_layout::Parts parts_;
};

/// A segment of fields, mapped. Opening reads its header. Thread-safe.
class FieldsSegment {
 public:
  /// @throws Error(damaged)
  explicit FieldsSegment(const SegmentView& view);

  std::size_t size() const noexcept { return entries_; }
  std::uint64_t key(std::size_t position) const { return *keys_.array<std::uint64_t>(position); }
  std::span<const std::uint64_t> keys() const;
  std::span<const std::uint32_t> documents() const;
  /// The position of a key, or size() when it is not here.
  std::size_t find(std::uint64_t key) const;
  /// A column for each type that the field comes with.
  std::vector<FieldColumn> columns(std::string_view field) const;

  struct Column {
    std::string_view name;
    FieldColumn column;
  };
  std::size_t column_count() const noexcept { return columns_count_; }
  Column column(std::size_t number) const;

 private:
  std::string_view name(const fields_layout::ColumnRow& row) const;
  const fields_layout::ColumnRow& row(std::size_t number) const {
    return *columns_.array<fields_layout::ColumnRow>(number);
  }

  const SegmentView* view_;
  Section keys_, documents_, data_, columns_, names_;
  std::size_t entries_ = 0;
  std::size_t columns_count_ = 0;
};

/// One segment of fields, with what is deleted in it: the entries that have a newer one elsewhere, too.
struct FieldsInput {
  const FieldsSegment* segment;
  Tombstones deleted;
};

/// Writes the live entries of several segments as one, byte for byte what building it from them would
/// write. A key is alive in one input at most; their order does not matter. Holds the keys and one column
/// in memory. @throws Error(damaged); Error(too_large) more than 2^28 entries; what the sink throws.
void merge_fields(std::span<const FieldsInput> inputs, SegmentSink& sink);

}  // namespace hasten
