#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hasten {

/// Where a server is, and who asks: "redis://:password@host:6379/0".
struct ServerAddress {
  std::string scheme, user, password, host, path;  ///< user, password decoded; path without its slash
  std::uint16_t port = 0;

  /// @param port  where the URL has none.
  /// @throws Error(invalid) not SCHEME://[[USER]:PASSWORD@]HOST[:PORT][/PATH]; the password is not said.
  static ServerAddress parse(std::string_view url, std::string_view scheme, std::uint16_t port);
  /// "host:port", "[::1]:port"
  std::string to_string() const;
};

}  // namespace hasten
