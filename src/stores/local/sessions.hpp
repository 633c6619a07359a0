#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "stores/local/sqlite.hpp"
#include "stores/local/texts.hpp"

namespace hasten {

/// What one thread reads or writes through: a connection and what unpacks texts.
struct Session {
  Session(const std::filesystem::path& file, sqlite::Connection::Mode mode)
      : beside_writers(mode == sqlite::Connection::Mode::read), connection(file, mode) {}
  bool beside_writers;  ///< and notices what they do
  sqlite::Connection connection;
  Texts texts;
  std::uint64_t situation = 0;  ///< of Sessions: which one it was opened in
};

/// Connections for reading, handed out one to each reader and kept for the next. Thread-safe.
class Sessions {
 public:
  explicit Sessions(std::filesystem::path file) : file_(std::move(file)) {}

  /// @throws Error(damaged|mismatch|io)
  std::unique_ptr<Session> take();
  void give_back(std::unique_ptr<Session> session) noexcept;

 private:
  /// How the file can be read now, and, where nobody locks it for us, what it looked like: when
  /// that changes, a writer has come, and connections are opened anew.
  struct Situation {
    sqlite::Connection::Mode mode = sqlite::Connection::Mode::read;
    std::string stamp;
    bool operator==(const Situation&) const = default;
  };
  Situation look() const;

  std::filesystem::path file_;
  std::mutex mutex_;
  Situation situation_;
  std::uint64_t situations_ = 0;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace hasten
