#include "stores/postgres/truth_vectors.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hasten/error.hpp"

namespace hasten::postgres {
namespace {

// Fetched with one that nobody said would be needed: who reads them in turn waits once for so many.
constexpr std::uint64_t kAround = 64;
constexpr std::size_t kExpectedMax = 16'384;
constexpr std::size_t kFetchBytes = std::size_t{8} << 20;

}  // namespace

std::optional<TruthModel> find_model(Connection& connection, std::string_view fingerprint) {
  const Rows rows = connection.query(fmt::format("SELECT {} FROM _models WHERE key = $1", kModelColumns),
                                     Values::of(blob(model_key(fingerprint))));
  if (rows.size() == 0) return std::nullopt;
  return read_model(rows[0]);
}

TruthVectors::TruthVectors(Pool& pool, std::filesystem::path folder)
    : pool_(pool), folder_(std::move(folder)) {
  try {
    std::filesystem::create_directories(folder_);
  } catch (const std::filesystem::filesystem_error& error) {
    throw_as_error(error);
  }
}

std::filesystem::path TruthVectors::file_of(const TruthModel& model) const {
  return folder_ / fmt::format("{}.vec", model.id);
}

TruthVectors::Model& TruthVectors::model(std::string_view fingerprint) {
  {
    const std::shared_lock lock(mutex_);
    const auto known = models_.find(fingerprint);
    if (known != models_.end()) return *known->second;
  }
  auto found = find_model(*pool_.take(), fingerprint);
  if (!found) {
    throw OutdatedRow(Code::not_found, fmt::format("there are no vectors of the model {}", fingerprint));
  }
  const std::unique_lock lock(mutex_);
  auto& place = models_[std::string(fingerprint)];
  if (!place) place = std::make_unique<Model>(*found, file_of(*found));
  return *place;
}

std::set<std::uint64_t> TruthVectors::fetch_missing(Model& model, std::span<const std::uint64_t> numbers) {
  std::vector<std::int64_t> missing;
  for (const std::uint64_t number : numbers) {
    if (!model.cache.find(number)) missing.push_back(bigint(number));
  }
  std::set<std::uint64_t> damaged;
  if (missing.empty()) return damaged;
  const std::size_t slice = std::max<std::size_t>(kFetchBytes / (model.model.dim * sizeof(float) + 64), 1);
  const auto connection = pool_.take();
  for (std::size_t from = 0; from < missing.size(); from += slice) {
    const auto to = missing.begin() + std::ptrdiff_t(std::min(from + slice, missing.size()));
    const Rows rows = connection->prepared(
        fmt::format("SELECT {} FROM _vector_values WHERE model = $1 AND number = ANY($2)", kValuesColumns),
        Values::of(bigint(model.model.id), std::vector(missing.begin() + std::ptrdiff_t(from), to)));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      try {
        const VectorValues vector = read_values(rows[i]);
        if (vector.values.size() != model.model.dim) throw Error(Code::damaged, "of another dimension");
        model.cache.put(vector.number, vector.text_hash, vector.values);
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;
        damaged.insert(number_of(rows[i], 1));
      }
    }
  }
  return damaged;
}

void TruthVectors::refuse(const Model& model, std::uint64_t number, bool is_damaged) {
  const auto now = find_model(*pool_.take(), model.model.fingerprint);
  if (!is_damaged && now && number < now->next) {
    throw OutdatedRow(Code::not_found, fmt::format("row {} of the vectors of {} is from before a compaction; "
                                                   "look it up again",
                                                   number, model.model.fingerprint));
  }
  throw Error(
      Code::damaged,
      fmt::format("postgres: row {} of the vectors of {} {}; `hasten verify --repair` lets go of what "
                  "is lost, and the next ingest embeds it again",
                  number, model.model.fingerprint,
                  is_damaged ? "does not fit its hash" : "was never written"));
}

std::span<const float> TruthVectors::vector(Model& model, std::uint64_t number) {
  if (const auto here = model.cache.find(number)) return *here;
  const std::lock_guard lock(model.fetching);
  if (const auto here = model.cache.find(number)) return *here;
  std::vector<std::uint64_t> wanted;
  {
    const std::lock_guard expected(model.mutex);
    wanted.swap(model.expected);
  }
  for (std::uint64_t i = number / kAround * kAround, end = i + kAround; i < end; ++i) wanted.push_back(i);
  const auto damaged = fetch_missing(model, wanted);
  if (const auto here = model.cache.find(number)) return *here;
  refuse(model, number, damaged.contains(number));
}

void TruthVectors::fetch(Model& model, std::span<const std::uint64_t> numbers) {
  const auto here = [&](std::uint64_t number) { return model.cache.find(number).has_value(); };
  if (std::ranges::all_of(numbers, here)) return;
  const std::lock_guard lock(model.fetching);
  fetch_missing(model, numbers);
}

void TruthVectors::expect(Model& model, std::uint64_t number) {
  if (model.cache.find(number)) return;
  const std::lock_guard lock(model.mutex);
  if (model.expected.size() < kExpectedMax) model.expected.push_back(number);
}

std::uint64_t TruthVectors::append(Connection& connection, std::string_view fingerprint, std::size_t dim,
                                   std::span<const Id> text_hashes, std::span<const float> values) {
  TruthModel model{0, std::string(fingerprint), dim, 0};
  if (auto known = find_model(connection, fingerprint)) model = std::move(*known);
  if (model.dim != dim) {
    throw Error(Code::mismatch, fmt::format("vectors of {} numbers for the model {}, whose vectors here have "
                                            "{}; ingest with the model they are of",
                                            dim, fingerprint, model.dim));
  }
  const std::int64_t n = bigint(text_hashes.size());
  if (model.id == 0) {
    const Rows last = connection.query("SELECT coalesce(max(id), 0) FROM _models");
    model.id = static_cast<std::uint32_t>(number_of(last[0], 0)) + 1;
    connection.query("INSERT INTO _models VALUES ($1, $2, $3, $4)",
                     Values::of(bigint(model.id), blob(model_key(fingerprint)), n, blob(pack_model(model))));
  } else {
    connection.query("UPDATE _models SET next = next + $2 WHERE id = $1", Values::of(bigint(model.id), n));
  }
  std::size_t i = 0;
  connection.copy_in("_vector_values (model, number, row)", [&](Values& row) {
    if (i == text_hashes.size()) return false;
    const std::uint64_t number = model.next + i;
    row.add(bigint(model.id)).add(bigint(number));
    row.add(blob(pack_values(model.id, number, text_hashes[i], values.subspan(i * dim, dim))));
    ++i;
    return true;
  });
  return model.next;
}

void TruthVectors::keep(std::string_view fingerprint, std::uint64_t first, std::span<const Id> text_hashes,
                        std::span<const float> values) {
  Model& of = model(fingerprint);
  for (std::size_t i = 0; i < text_hashes.size(); ++i) {
    of.cache.put(first + i, text_hashes[i], values.subspan(i * of.model.dim, of.model.dim));
  }
}

void TruthVectors::forget(const TruthModel& model) {
  const std::unique_lock lock(mutex_);
  std::error_code ignored;
  std::filesystem::remove(file_of(model), ignored);
  const auto known = models_.find(model.fingerprint);
  if (known == models_.end()) return;
  forgotten_.push_back(std::move(known->second));
  models_.erase(known);
}

}  // namespace hasten::postgres
