#include "stores/postgres/postgres_store.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/files.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/postgres_fields.hpp"
#include "stores/postgres/postgres_store_state.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using postgres::Connection;

constexpr std::int64_t kConnections = 16;
constexpr std::string_view kWriting = "writing-";

postgres::ConnectionSettings settings_of(const PostgresOptions& options) {
  // The server's own limit stands behind ours, for those that cannot see that their client is gone. It looks
  // whether a silent client's host is still there, so that the lock of one that is gone is free in a minute.
  const auto patience = options.timeout + std::chrono::seconds(1);
  postgres::ConnectionSettings settings{options.uri, options.connecting, options.timeout, {}};
  settings.parameters = {{"search_path", postgres::quoted_name(options.schema)},
                         {"statement_timeout", std::to_string(patience.count())},
                         {"jit", "off"},
                         {"tcp_keepalives_idle", "30"},
                         {"tcp_keepalives_interval", "10"},
                         {"tcp_keepalives_count", "3"}};
  return settings;
}

/// Folders of processes that ended without removing them.
void remove_leftovers(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kWriting)) continue;
    pid_t process = 0;
    std::from_chars(name.data() + kWriting.size(), name.data() + name.size(), process);
    std::error_code ignored;
    if (process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH)) fs::remove_all(at->path(), ignored);
  }
}

postgres::TruthIdentity identify(Connection& connection, const std::string& schema,
                                 SegmentStore::Access access) {
  if (connection.parameter("server_encoding") == "SQL_ASCII") {
    throw Error(Code::refused, "the database has no encoding; make one WITH ENCODING 'UTF8'");
  }
  return access == SegmentStore::Access::read ? postgres::find_truth(connection, schema)
                                              : postgres::make_truth(connection, schema);
}

}  // namespace

PostgresStoreOptions PostgresStoreOptions::from_json(const nlohmann::json& json, const std::string& where) {
  Kwargs kwargs(json, where);
  PostgresStoreOptions options{PostgresOptions::server_of(kwargs, kConnections), kwargs.text("cache")};
  kwargs.done();
  return options;
}

PostgresStore::State::State(const PostgresStoreOptions& given, Access wanted, std::string_view owner)
    : options(given),
      access(wanted),
      where(fmt::format("postgres at {}, schema {}", postgres::place_of(given.server.uri),
                        given.server.schema)),
      pool(settings_of(given.server), given.server.connections),
      identity(identify(*pool.take(), given.server.schema, wanted)),
      folder((given.cache.empty() ? user_cache_folder() / "postgres" : given.cache) / identity.name),
      writing_folder(folder / fmt::format("{}{}", kWriting, ::getpid())),
      segments(folder / "segments"),
      vectors(pool, folder / "vectors") {
  if (access == Access::read) return;
  writer.emplace(pool.settings(), identity, owner);
  postgres::remove_uncommitted(writer->connection());
  remove_leftovers(folder);
  std::error_code error;
  fs::create_directories(writing_folder, error);
  if (error)
    throw Error(Code::io, fmt::format("{} cannot be made: {}", writing_folder.string(), error.message()));
}

PostgresStore::State::~State() {
  std::error_code ignored;
  if (access == Access::write) fs::remove_all(writing_folder, ignored);
}

void PostgresStore::State::require_writer() const {
  if (access == Access::write) return;
  throw Error(Code::locked, "the knowledge base in " + where + " was opened for reading only");
}

PostgresStore::PostgresStore(const PostgresStoreOptions& options, Access access, std::string_view owner)
    : state_(std::make_unique<State>(options, access, owner)) {}

PostgresStore::~PostgresStore() = default;

std::string PostgresStore::where() const { return state_->where; }

std::optional<std::uint64_t> PostgresStore::server_bytes() const {
  const auto rows = state_->pool.take()->query(
      "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::int8 FROM pg_class"
      " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace");
  return static_cast<std::uint64_t>(rows[0].get<std::int64_t>(0));
}

const fs::path& PostgresStore::folder() const noexcept { return state_->folder; }
fs::path PostgresStore::segments_folder() const { return state_->writing_folder; }

std::unique_ptr<PostgresStore::Reading> PostgresStore::read() const {
  return std::make_unique<postgres::TruthReading<Reading>>(*state_, false);
}

CommitName PostgresStore::newest() const { return postgres::newest_commit(*state_->pool.take()); }

std::unique_ptr<PostgresStore::Writing> PostgresStore::write() {
  state_->require_writer();
  return std::make_unique<postgres::TruthWriting>(*state_);
}

std::uint64_t PostgresStore::append_vectors(std::string_view model, std::size_t dim,
                                            std::span<const Id> text_hashes, std::span<const float> values) {
  state_->require_writer();
  check_vectors(model, dim, text_hashes.size(), values);
  const std::lock_guard lock(state_->appending);
  std::uint64_t first = 0;
  {
    const auto connection = state_->pool.take();
    postgres::Transaction transaction(*connection);
    // Until this is committed nobody else begins to write.
    const auto fence = connection->query("SELECT fence FROM _writer FOR SHARE");
    if (fence.size() == 0 || fence[0].get<std::int64_t>(0) != state_->writer->fence()) {
      throw Error(Code::locked, "the connection to " + state_->where +
                                    " was lost, and another has begun to write; begin anew");
    }
    first = state_->vectors.append(*connection, model, dim, text_hashes, values);
    transaction.commit();
  }
  state_->vectors.keep(model, first, text_hashes, values);
  return first;
}

std::span<const float> PostgresStore::vector(std::string_view model, std::uint64_t row) const {
  return state_->vectors.vector(state_->vectors.model(model), row);
}

std::function<std::span<const float>(std::uint64_t)> PostgresStore::vectors(std::string_view model) const {
  struct Found {
    std::string model;
    std::atomic<postgres::TruthVectors::Model*> at = nullptr;
  };
  auto found = std::make_shared<Found>();
  found->model = model;
  return [this, found = std::move(found)](std::uint64_t row) {
    auto* at = found->at.load(std::memory_order_acquire);
    if (at == nullptr) {
      at = &state_->vectors.model(found->model);
      found->at.store(at, std::memory_order_release);
    }
    return state_->vectors.vector(*at, row);
  };
}

std::vector<float> PostgresStore::read_vector(std::string_view model, std::uint64_t row) const {
  const auto values = vector(model, row);
  return {values.begin(), values.end()};
}

void PostgresStore::fetch_vector(std::string_view model, std::uint64_t row) const {
  try {
    state_->vectors.expect(state_->vectors.model(model), row);
  } catch (const Error&) {  // it is said when the row is read
  }
}

void PostgresStore::fetch_vectors(std::string_view model, std::span<const std::uint64_t> rows) const {
  try {
    state_->vectors.fetch(state_->vectors.model(model), rows);
  } catch (const Error&) {  // it is said when a row is read
  }
}

std::unique_ptr<SegmentStore> open_postgres_store(const nlohmann::json& kwargs, const std::string& where,
                                                  SegmentStore::Access access, std::string_view owner) {
  return std::make_unique<PostgresStore>(PostgresStoreOptions::from_json(kwargs, where), access, owner);
}

}  // namespace hasten
