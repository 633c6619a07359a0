#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment.hpp"
#include "hasten/node.hpp"
#include "indexes/coding.hpp"
#include "indexes/fields_layout.hpp"

namespace hasten {

/// Collects one column of a segment of fields, in any order of entries.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(std::uint8_t type) : type_(type) {}

  /// A field of an entry, of this column's type.
  void add(std::uint32_t position, const Value& value);
  void add_present(std::uint32_t position) { present_.push_back(position); }
  void add_text(std::uint32_t position, std::string_view text);
  void add_number(std::uint32_t position, std::uint64_t bits) { postings_.push_back({bits, 0, position}); }

  bool empty() const noexcept { return present_.empty(); }
  std::size_t bytes() const noexcept;
  /// The column as it lies in "data", and its row without its name and place.
  std::pair<fields_layout::ColumnRow, Bytes> finish(std::uint64_t entries);

 private:
  struct Posting {
    std::uint64_t value;  // a number's bits, or where its text begins in texts_
    std::uint32_t text_bytes;
    std::uint32_t position;
  };
  std::string_view text(const Posting& posting) const;
  bool less(const Posting& a, const Posting& b) const;
  void sort();

  std::uint8_t type_;
  std::vector<std::uint32_t> present_;
  std::vector<Posting> postings_;
  std::string texts_;
};

/// Writes a segment of fields, column after column, by name and then type.
class FieldsWriter {
 public:
  FieldsWriter(SegmentSink& sink, std::span<const std::uint64_t> keys,
               std::span<const std::uint32_t> documents);
  /// Columns that no entry has are left out.
  void add(std::string_view name, ColumnBuilder& column);
  void finish();

 private:
  SegmentSink& sink_;
  std::uint64_t entries_;
  std::uint64_t data_bytes_ = 0;
  std::vector<fields_layout::ColumnRow> rows_;
  std::string names_;
};

}  // namespace hasten
