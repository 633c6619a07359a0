#pragma once

#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "indexes/rotation.hpp"

namespace hasten {

/// The cached questions by their vectors, in memory: the nearest of 100,000 are found in some 70 us. Entries
/// come and go. Vectors lie as int8 in lists of near ones; a list that has grown too long is split in two,
/// one that has become short is dissolved into its neighbours, so that no call rebuilds the whole.
/// Thread-safe: many read at a time; who writes waits for them, mostly 10 us, and 0.3 ms where a list is
/// split. Source: Xu et al. 2023, "SPFresh: incremental in-place update for billion-scale vector search",
/// section 3.
class QuestionIndex {
 public:
  struct Near {
    std::uint64_t id;
    double cosine;  ///< of the int8 vectors: within 0.003 of the exact one, and 1 for the same vector
    bool operator==(const Near&) const = default;
  };

  /// @param dim  of all vectors, 1 to 65,536.
  explicit QuestionIndex(std::size_t dim);

  /// Adds a question, or gives it another vector. @param vector  dim values, of any length but 0.
  /// @throws Error(invalid) another number of values, or values that are no numbers, or all of them 0.
  void add(std::uint64_t id, std::span<const float> vector);
  /// @return whether there was one.
  bool remove(std::uint64_t id);
  void clear();

  /// The k nearest by falling cosine, equal ones by rising id. Near-duplicates (a cosine above 0.9) are found
  /// with a probability of 0.99 and more; farther ones with less.
  /// @throws Error(invalid) as add().
  std::vector<Near> nearest(std::span<const float> vector, std::size_t k) const;

  std::size_t dim() const noexcept { return dim_; }
  std::size_t size() const;
  /// Memory that is held, some 650 bytes a question of 384 numbers.
  std::size_t bytes() const;

 private:
  /// Questions near each other. `codes` has dim_ values for each of `ids`.
  struct List {
    std::vector<std::uint64_t> ids;
    std::vector<std::int8_t> codes;
    std::vector<std::uint64_t> signs;  // of the rotated vectors, words_ each
    std::vector<float> inverse_norms;
  };
  struct Place {
    std::uint32_t list;
    std::uint32_t slot;
  };
  struct Coded {
    std::vector<std::int8_t> codes;
    std::vector<std::uint64_t> signs;
    float inverse_norm;
  };

  Coded coded(std::span<const float> vector) const;
  void put(std::uint32_t list, std::uint64_t id, std::span<const std::int8_t> codes,
           std::span<const std::uint64_t> signs, float inverse_norm);
  void take_out(Place place);
  void erase(Place place);
  std::vector<Place> candidates(const Coded& query, std::size_t n) const;
  std::vector<std::uint32_t> nearest_lists(const Coded& query, std::size_t n) const;
  void set_centre(std::uint32_t list, std::span<const float> centre);
  void split(std::uint32_t list);
  void dissolve(std::uint32_t list);
  void drop(std::uint32_t list);

  std::size_t dim_;
  std::size_t words_;  // of 64 signs
  Rotation rotation_;
  mutable std::shared_mutex mutex_;
  std::vector<List> lists_;
  std::vector<std::int8_t> centres_;  // dim_ a list
  struct CentreScale {
    float scale;        // of its codes
    float half_square;  // half of its length's square
  };
  std::vector<CentreScale> centre_scales_;
  std::unordered_map<std::uint64_t, Place> places_;
};

}  // namespace hasten
