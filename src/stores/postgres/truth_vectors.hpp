#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stores/postgres/pool.hpp"
#include "stores/postgres/truth_rows.hpp"
#include "stores/postgres/vector_cache.hpp"

namespace hasten::postgres {

/// The full-precision vectors of a truth, fetched in batches when they are asked for and kept in files that
/// are mapped. Thread-safe.
class TruthVectors {
 public:
  /// Makes the folder of the files. @throws Error(full|io)
  TruthVectors(Pool& pool, std::filesystem::path folder);

  /// One model's. They live as long as this: spans point into them.
  struct Model {
    Model(TruthModel told, const std::filesystem::path& file)
        : model(std::move(told)), cache(file, model.dim) {}
    const TruthModel model;
    VectorCache cache;
    std::mutex fetching;                  // one fetches, the others find it there
    std::mutex mutex;                     // of what follows
    std::vector<std::uint64_t> expected;  // that are fetched with the next one that is not here
  };
  /// @throws OutdatedRow no vectors of such a model; as Pool::take().
  Model& model(std::string_view fingerprint);
  /// Of what is here; with those around it, and those that are expected, of what is not.
  /// @throws OutdatedRow one that a compaction has dropped; Error(damaged); as Pool::take().
  std::span<const float> vector(Model& model, std::uint64_t number);
  void fetch(Model& model, std::span<const std::uint64_t> numbers);
  void expect(Model& model, std::uint64_t number);

  /// Writes vectors on the server within a transaction of `connection`, and gives them numbers. @return the
  /// first. @throws Error(mismatch) the model has vectors of another dimension.
  std::uint64_t append(Connection& connection, std::string_view fingerprint, std::size_t dim,
                       std::span<const Id> text_hashes, std::span<const float> values);
  /// Keeps what was appended and committed here, too.
  void keep(std::string_view fingerprint, std::uint64_t first, std::span<const Id> text_hashes,
            std::span<const float> values);
  /// Has vectors of a model fetched anew, whose numbers stay: some are not to be kept here any more.
  void forget(const TruthModel& model);

 private:
  std::set<std::uint64_t> fetch_missing(Model& model, std::span<const std::uint64_t> numbers);
  [[noreturn]] void refuse(const Model& model, std::uint64_t number, bool is_damaged);
  std::filesystem::path file_of(const TruthModel& model) const;

  Pool& pool_;
  std::filesystem::path folder_;
  std::shared_mutex mutex_;
  std::map<std::string, std::unique_ptr<Model>, std::less<>> models_;
  std::vector<std::unique_ptr<Model>> forgotten_;
};

std::optional<TruthModel> find_model(Connection& connection, std::string_view fingerprint);

}  // namespace hasten::postgres
