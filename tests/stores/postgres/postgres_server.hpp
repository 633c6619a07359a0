#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/test_server.hpp"

namespace hasten {

/// PostgreSQL 16 with pgvector, out of the wheel of pgserver, in a folder of its own: it refuses to run as
/// root, so that as root everything lies where user nobody reads it. The user `hasten` needs no password; one
/// whose name begins with "scram_" does.
class PostgresServer {
 public:
  /// @param bin  of the environment that has the wheel. @param address  that it listens on, and nowhere else.
  explicit PostgresServer(const std::filesystem::path& bin, std::string address = "127.0.0.1");
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer();

  std::string uri(std::string_view user = "hasten", std::string_view database = "postgres") const;
  std::uint16_t port() const noexcept { return port_; }
  /// Of the postmaster and every process of its own, as a machine's crash would be.
  void kill();
  void start();
  void pause();
  void resume();
  /// The files of the extension, which no test of a database without it may find. @return to show them again.
  std::shared_ptr<void> without_vector();

 private:
  std::vector<pid_t> processes() const;
  void run(std::string_view program, std::vector<std::string> arguments) const;

  void remove_shared_memory() const noexcept;

  std::string address_;
  std::filesystem::path folder_, install_;
  std::uint16_t port_;
  std::optional<TestServer> server_;
  std::vector<pid_t> paused_;
};

/// One of its own for a test that listens on `address`; null where it cannot be had, and why.
std::unique_ptr<PostgresServer> start_postgres(const std::string& address, std::string& why);

/// The one of this program; null where it cannot be had, and why.
std::shared_ptr<PostgresServer> shared_postgres(std::string& why);

}  // namespace hasten
