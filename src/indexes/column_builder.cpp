#include "indexes/column_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

#include "indexes/sections.hpp"

namespace hasten {

using namespace fields_layout;

namespace {

std::uint64_t bits_of(bool value) { return value ? 1 : 0; }
std::uint64_t bits_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::uint64_t bits_of(Date value) { return bits_of(std::int64_t{value.days}); }
std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value); }

template <class T>
void put_all(Bytes& bytes, const std::vector<T>& values) {
  const auto raw = std::as_bytes(std::span(values));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

void put_bits(Bytes& bytes, const Bitmap& bitmap) {
  const auto raw = std::as_bytes(bitmap.words());
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

Presence presence_of(std::size_t present, std::uint64_t entries) {
  if (present == entries) return Presence::all;
  return 4 * present <= 8 * Bitmap::words_for(entries) ? Presence::list : Presence::bitmap;
}

}  // namespace

void ColumnBuilder::add(std::uint32_t position, const Value& value) {
  add_present(position);
  std::visit(
      [&](const auto& of) {
        using T = std::decay_t<decltype(of)>;
        if constexpr (std::is_same_v<T, std::string>) {
          add_text(position, of);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (const std::string& item : of) add_text(position, item);
        } else if constexpr (std::is_same_v<T, double>) {
          if (!std::isnan(of)) add_number(position, bits_of(of));  // it has the field, and no value
        } else {
          add_number(position, bits_of(of));
        }
      },
      value);
}

void ColumnBuilder::add_text(std::uint32_t position, std::string_view text) {
  if (text.size() > UINT32_MAX) throw Error(Code::too_large, "a field's text has more than 4 GB");
  postings_.push_back({texts_.size(), static_cast<std::uint32_t>(text.size()), position});
  texts_ += text;
}

std::size_t ColumnBuilder::bytes() const noexcept {
  return texts_.size() + postings_.size() * sizeof(Posting) + present_.size() * sizeof(std::uint32_t);
}

std::string_view ColumnBuilder::text(const Posting& posting) const {
  return std::string_view(texts_).substr(posting.value, posting.text_bytes);
}

bool ColumnBuilder::less(const Posting& a, const Posting& b) const {
  if (is_text(type_)) return text(a) < text(b);
  if (type_ == kReal) return std::bit_cast<double>(a.value) < std::bit_cast<double>(b.value);
  return static_cast<std::int64_t>(a.value) < static_cast<std::int64_t>(b.value);
}

void ColumnBuilder::sort() {
  std::ranges::sort(present_);
  std::ranges::sort(postings_, [this](const Posting& a, const Posting& b) {
    if (less(a, b)) return true;
    return !less(b, a) && a.position < b.position;
  });
  const auto repeated = std::ranges::unique(postings_, [this](const Posting& a, const Posting& b) {
    return a.position == b.position && !less(a, b);  // a list may hold an item twice
  });
  postings_.erase(repeated.begin(), repeated.end());
  if (postings_.size() > kPostingsMax) throw Error(Code::too_large, "a field has more than 2^32 values");
}

std::pair<ColumnRow, Bytes> ColumnBuilder::finish(std::uint64_t entries) {
  sort();
  std::vector<std::uint64_t> values;
  std::vector<std::uint32_t> starts, lists;
  std::string texts;
  if (is_text(type_)) values.push_back(0);
  for (std::size_t i = 0; i < postings_.size(); ++i) {
    lists.push_back(postings_[i].position);
    if (i > 0 && !less(postings_[i - 1], postings_[i])) continue;
    starts.push_back(static_cast<std::uint32_t>(i));
    if (is_text(type_)) texts += text(postings_[i]);
    values.push_back(is_text(type_) ? texts.size() : postings_[i].value);
  }
  ColumnRow row{};
  row.type = type_;
  row.presence = presence_of(present_.size(), entries);
  row.present = present_.size();
  row.values = starts.size();
  row.postings = lists.size();
  starts.push_back(static_cast<std::uint32_t>(lists.size()));
  // Bitmaps where they take no more room than lists: of a few values, such as languages and formats.
  row.form = row.values * Bitmap::words_for(entries) * 8 <= lists.size() * 4 ? Form::bitmaps : Form::lists;
  Bytes bytes;
  put_all(bytes, values);
  if (row.form == Form::bitmaps) {
    for (std::size_t value = 0; value < row.values; ++value) {
      Bitmap bitmap(entries);
      for (std::size_t i = starts[value]; i < starts[value + 1]; ++i) bitmap.set(lists[i]);
      put_bits(bytes, bitmap);
    }
  }
  if (row.presence == Presence::bitmap) {
    Bitmap bitmap(entries);
    for (const std::uint32_t position : present_) bitmap.set(position);
    put_bits(bytes, bitmap);
  }
  put_all(bytes, starts);
  if (row.form == Form::lists) put_all(bytes, lists);
  if (row.presence == Presence::list) put_all(bytes, present_);
  const auto raw = std::as_bytes(std::span(texts));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
  bytes.resize((bytes.size() + 7) / 8 * 8);
  return {row, std::move(bytes)};
}

FieldsWriter::FieldsWriter(SegmentSink& sink, std::span<const std::uint64_t> keys,
                           std::span<const std::uint32_t> documents)
    : sink_(sink), entries_(keys.size()) {
  if (keys.size() > kEntriesMax) throw Error(Code::too_large, "a segment of fields has at most 2^28 entries");
  write_array(sink_, kKeys, keys);
  write_array(sink_, kDocuments, documents);
  sink_.begin(kData);
}

void FieldsWriter::add(std::string_view name, ColumnBuilder& column) {
  if (column.empty()) return;
  auto [row, bytes] = column.finish(entries_);
  row.name_at = names_.size();
  row.name_bytes = static_cast<std::uint32_t>(name.size());
  row.data_at = data_bytes_;
  sink_.write(bytes);
  data_bytes_ += bytes.size();
  names_ += name;
  rows_.push_back(row);
}

void FieldsWriter::finish() {
  write_array(sink_, kColumns, std::span<const ColumnRow>(rows_));
  write_array(sink_, kNames, std::span<const char>(names_));
  const Header header{kLayout, entries_, rows_.size()};
  write_array(sink_, kHeader, std::span(&header, 1));
}

}  // namespace hasten
