#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hasten {

/// About how often keys were asked for lately: a count-min sketch of counters of 4 bits, four a key in one
/// cache line, all halved after ten times as many counts as there are keys, so that what was asked for long
/// ago is forgotten. Too high where keys share counters, never too low but for that. Not thread-safe.
/// Source: Cormode & Muthukrishnan 2005 (count-min); Einziger, Friedman, Manes 2017, section 3 (aging).
class FrequencySketch {
 public:
  static constexpr unsigned kMost = 15;

  /// @param keys  how many at a time it can tell apart; 8 bytes each.
  explicit FrequencySketch(std::size_t keys) { resize(keys); }

  /// Forgets all counts.
  void resize(std::size_t keys);
  void clear() { resize(keys()); }
  void count(std::uint64_t hash) noexcept;
  /// 0 to kMost.
  unsigned frequency(std::uint64_t hash) const noexcept;
  std::size_t keys() const noexcept { return words_.size(); }

 private:
  void halve() noexcept;

  std::vector<std::uint64_t> words_;  ///< 16 counters each, 8 words a block
  std::size_t counts_ = 0;
};

}  // namespace hasten
