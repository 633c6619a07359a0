#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/segment.hpp"
#include "hasten/error.hpp"

namespace hasten::testing {

/// A segment in memory: what is written to it can be read at once, and be damaged by a test.
class MemorySegment final : public SegmentSink, public SegmentView {
 public:
  void begin(std::string_view section) override { current_ = &sections_[std::string(section)]; }

  void write(std::span<const std::byte> bytes) override {
    current_->size += bytes.size();
    current_->words.resize((current_->size + 7) / 8);
    if (bytes.empty()) return;
    auto* end = reinterpret_cast<std::byte*>(current_->words.data()) + current_->size;
    std::memcpy(end - bytes.size(), bytes.data(), bytes.size());
  }

  std::uint64_t size(std::string_view section) const override {
    const auto at = sections_.find(section);
    return at == sections_.end() ? 0 : at->second.size;
  }

  std::span<const std::byte> bytes(std::string_view section, std::uint64_t offset,
                                   std::uint64_t length) const override {
    const auto at = sections_.find(section);
    const std::uint64_t have = at == sections_.end() ? 0 : at->second.size;
    if (offset > have || length > have - offset) {
      throw Error(Code::damaged, "out of the section " + std::string(section));
    }
    if (length == 0) return {};
    return std::as_bytes(std::span(at->second.words)).subspan(offset, length);
  }

  Place place(std::string_view section) const override {
    const auto all = bytes(section, 0, size(section));
    return {all.data(), all.size(), 0, 0, nullptr};
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, section] : sections_) names.push_back(name);
    return names;
  }

  std::string text(std::string_view section) const {
    const auto all = bytes(section, 0, size(section));
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }

  void replace(std::string_view section, std::string_view bytes) {
    sections_[std::string(section)] = {};
    begin(section);
    write(std::as_bytes(std::span(bytes)));
  }

  friend bool operator==(const MemorySegment& a, const MemorySegment& b) {
    return a.names() == b.names() &&
           std::ranges::all_of(a.names(), [&](const auto& n) { return a.text(n) == b.text(n); });
  }

 private:
  struct Section {
    std::vector<std::uint64_t> words;  // 8-byte borders, as sections have
    std::uint64_t size = 0;
  };
  std::map<std::string, Section, std::less<>> sections_;
  Section* current_ = nullptr;
};

}  // namespace hasten::testing
