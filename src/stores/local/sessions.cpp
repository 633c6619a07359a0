#include "stores/local/sessions.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "stores/local/schema.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kIdleMax = 32;

/// Size and time of a file, to notice that it changed.
std::string stamp_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  const auto time = fs::last_write_time(file, error).time_since_epoch().count();
  return error ? "absent" : fmt::format("{} {}", size, time);
}

}  // namespace

Sessions::Situation Sessions::look() const {
  using Mode = sqlite::Connection::Mode;
  if (::access(file_.parent_path().c_str(), W_OK) == 0) return {Mode::read, {}};
  // Where the folder cannot be written, SQLite can read beside a writer only if that one has made
  // the shared memory already; without it there is no writer.
  std::error_code ignored;
  const std::string log = file_.string() + "-wal";
  if (fs::exists(file_.string() + "-shm", ignored)) return {Mode::read, {}};
  const std::string stamp = stamp_of(file_) + "; " + stamp_of(log);
  const auto log_bytes = fs::file_size(log, ignored);
  return {!ignored && log_bytes > 0 ? Mode::recovering : Mode::immutable, stamp};
}

std::unique_ptr<Session> Sessions::take() {
  const Situation now = look();
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    if (now != situation_) {
      idle_.clear();
      situation_ = now;
      ++situations_;
    }
    if (!idle_.empty()) {
      std::unique_ptr<Session> session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
    number = situations_;
  }
  auto session = std::make_unique<Session>(file_, now.mode);
  session->situation = number;
  check_format(session->connection);
  return session;
}

void Sessions::give_back(std::unique_ptr<Session> session) noexcept {
  std::lock_guard lock(mutex_);
  if (session->situation == situations_ && idle_.size() < kIdleMax) {
    idle_.push_back(std::move(session));
  }
}

}  // namespace hasten
