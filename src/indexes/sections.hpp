#pragma once

#include <fmt/format.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/segment.hpp"
#include "hasten/error.hpp"

namespace hasten {

static_assert(std::endian::native == std::endian::little, "sections are read where they lie");

/// Elements [first, first + count) of a section that is an array of T, where they lie.
/// @throws Error(damaged) out of range or not aligned for T.
template <class T>
std::span<const T> read_array(const SegmentView& view, std::string_view section, std::uint64_t first,
                              std::uint64_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::uint64_t size = view.size(section) / sizeof(T);
  if (first > size || count > size - first) {
    throw Error(Code::damaged, fmt::format("section '{}' has {} elements; {} from {} were wanted", section,
                                           size, count, first));
  }
  const auto bytes = view.bytes(section, first * sizeof(T), count * sizeof(T));
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) {
    throw Error(Code::damaged, fmt::format("section '{}' is not aligned", section));
  }
  return {reinterpret_cast<const T*>(bytes.data()), count};
}

template <class T>
T read_one(const SegmentView& view, std::string_view section, std::uint64_t at) {
  return read_array<T>(view, section, at, 1).front();
}

/// @throws Error(damaged) where a section is not an array of exactly `count` elements of T.
template <class T>
void require_array(const SegmentView& view, std::string_view section, std::uint64_t count) {
  const std::uint64_t size = view.size(section);
  if (size % sizeof(T) == 0 && size / sizeof(T) == count) return;
  throw Error(Code::damaged, fmt::format("section '{}' has {} bytes; {} elements of {} were expected",
                                         section, size, count, sizeof(T)));
}

template <class T>
void write_array(SegmentSink& sink, std::string_view section, std::span<const T> values) {
  sink.begin(section);
  sink.write(std::as_bytes(values));
}

/// The position of `value` in a rising array of `count` elements, or `count`. Reads O(log count).
template <class T>
std::size_t find_sorted(const SegmentView& view, std::string_view section, std::size_t count, T value) {
  std::size_t from = 0, to = count;
  while (from < to) {
    const std::size_t middle = from + (to - from) / 2;
    const T found = read_one<T>(view, section, middle);
    if (found == value) return middle;
    (found < value ? from : to) = found < value ? middle + 1 : middle;
  }
  return count;
}

/// Calls function(first, last) for each run of positions < n that are not deleted, in order.
template <class Function>
void for_each_live_run(const Tombstones& deleted, std::size_t n, Function&& function) {
  if (deleted.empty()) {
    if (n > 0) function(std::size_t{0}, n);
    return;
  }
  for (std::size_t at = 0; at < n;) {
    while (at < n && deleted.test(at)) ++at;
    const std::size_t first = at;
    while (at < n && !deleted.test(at)) ++at;
    if (first < at) function(first, at);
  }
}

inline std::size_t count_live(const Tombstones& deleted, std::size_t n) {
  std::size_t live = 0;
  for_each_live_run(deleted, n, [&](std::size_t first, std::size_t last) { live += last - first; });
  return live;
}

/// Copies the live elements of an array section of n elements to a sink, in pieces.
/// @param width  bytes of an element.
inline void copy_live(const SegmentView& view, std::string_view section, std::size_t width,
                      const Tombstones& deleted, std::size_t n, SegmentSink& sink) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  for_each_live_run(deleted, n, [&](std::size_t first, std::size_t last) {
    for (std::size_t from = first * width; from < last * width; from += kPieceBytes) {
      sink.write(view.bytes(section, from, std::min(kPieceBytes, last * width - from)));
    }
  });
}

}  // namespace hasten
