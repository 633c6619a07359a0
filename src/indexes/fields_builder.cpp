#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "hasten/error.hpp"
#include "indexes/fields.hpp"

namespace hasten {

using namespace fields_layout;

void FieldsBuilder::add(std::uint64_t key, std::uint32_t document, const Metadata& fields) {
  const auto position = static_cast<std::uint32_t>(keys_.size());
  keys_.push_back(key);
  documents_.push_back(document);
  for (const auto& [name, value] : fields) {
    const auto type = static_cast<std::uint8_t>(value.index());
    columns_.try_emplace({name, type}, type).first->second.add(position, value);
  }
}

std::size_t FieldsBuilder::bytes() const noexcept {
  std::size_t bytes = keys_.size() * (sizeof(std::uint64_t) + sizeof(std::uint32_t));
  for (const auto& [_, column] : columns_) bytes += column.bytes();
  return bytes;
}

void FieldsBuilder::write(SegmentSink& sink) {
  FieldsWriter writer(sink, keys_, documents_);
  for (auto& [name, column] : columns_) writer.add(name.first, column);
  writer.finish();
}

namespace {

constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max();

// The live entries of all inputs by rising key, and where each input's went.
struct MergedEntries {
  std::vector<std::uint64_t> keys;
  std::vector<std::uint32_t> documents;
  std::vector<std::vector<std::uint32_t>> places;  // by input and position

  explicit MergedEntries(std::span<const FieldsInput> inputs) {
    struct Entry {
      std::uint64_t key;
      std::uint32_t input, position;
    };
    std::vector<Entry> live;
    std::vector<std::span<const std::uint32_t>> input_documents;
    for (std::uint32_t i = 0; i < inputs.size(); ++i) {
      const auto input_keys = inputs[i].segment->keys();
      input_documents.push_back(inputs[i].segment->documents());
      places.emplace_back(input_keys.size(), kGone);
      for (std::uint32_t at = 0; at < input_keys.size(); ++at) {
        if (!inputs[i].deleted.test(at)) live.push_back({input_keys[at], i, at});
      }
    }
    if (live.size() > kEntriesMax) {
      throw Error(Code::too_large,
                  fmt::format("{} entries; a segment of fields has at most 2^28", live.size()));
    }
    std::ranges::sort(live, {}, &Entry::key);
    for (const Entry& entry : live) {
      places[entry.input][entry.position] = static_cast<std::uint32_t>(keys.size());
      keys.push_back(entry.key);
      documents.push_back(input_documents[entry.input][entry.position]);
    }
    if (std::ranges::adjacent_find(keys) != keys.end()) {
      throw Error(Code::damaged, "two segments of fields hold the same entry");
    }
  }
};

void copy(const FieldColumn& from, const std::vector<std::uint32_t>& places, ColumnBuilder& to) {
  from.present_entries().for_each([&](std::size_t at) {
    if (places[at] != kGone) to.add_present(places[at]);
  });
  for (std::uint64_t value = 0; value < from.values(); ++value) {
    for (const std::uint32_t at : from.entries_of(value)) {
      if (places[at] == kGone) continue;
      if (is_text(from.type()))
        to.add_text(places[at], from.text(value));
      else
        to.add_number(places[at], from.number(value));
    }
  }
}

}  // namespace

void merge_fields(std::span<const FieldsInput> inputs, SegmentSink& sink) {
  const MergedEntries merged(inputs);
  using Source = std::pair<std::size_t, std::size_t>;  // input and number of its column
  std::map<std::pair<std::string, std::uint8_t>, std::vector<Source>> columns;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t number = 0; number < inputs[i].segment->column_count(); ++number) {
      const auto [name, column] = inputs[i].segment->column(number);
      columns[{std::string(name), column.type()}].emplace_back(i, number);
    }
  }
  FieldsWriter writer(sink, merged.keys, merged.documents);
  for (const auto& [name, sources] : columns) {
    ColumnBuilder builder(name.second);
    for (const auto& [i, number] : sources) {
      copy(inputs[i].segment->column(number).column, merged.places[i], builder);
    }
    writer.add(name.first, builder);
  }
  writer.finish();
}

}  // namespace hasten
