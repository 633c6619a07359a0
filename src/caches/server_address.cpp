#include "caches/server_address.hpp"

#include <fmt/format.h>

#include <charconv>

#include "hasten/error.hpp"

namespace hasten {
namespace {

[[noreturn]] void refuse(std::string_view scheme, std::string_view what) {
  throw Error(Code::invalid,
              fmt::format("the URL of a cache's server has {}; right is {}://[[USER]:PASSWORD@]"
                          "HOST[:PORT][/PATH]",
                          what, scheme));
}

/// Takes what is before `end` from the front of `rest`; all of it where there is no `end`.
std::string_view take(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

std::string decoded(std::string_view text, std::string_view scheme) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    unsigned char byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || read.ptr != digits.data() + 2) refuse(scheme, "a % that no two digits follow");
    bytes += static_cast<char>(byte);
    i += 2;
  }
  return bytes;
}

}  // namespace

ServerAddress ServerAddress::parse(std::string_view url, std::string_view scheme, std::uint16_t port) {
  ServerAddress address{.scheme = std::string(scheme), .port = port};
  std::string_view rest = url;
  if (!rest.starts_with(scheme) || !rest.substr(scheme.size()).starts_with("://")) {
    refuse(scheme, "another scheme");
  }
  rest.remove_prefix(scheme.size() + 3);
  std::string_view place = take(rest, '/');
  address.path = rest;
  if (const std::size_t at = place.rfind('@'); at != std::string_view::npos) {
    std::string_view who = place.substr(0, at);
    place.remove_prefix(at + 1);
    address.user = decoded(take(who, ':'), scheme);
    address.password = decoded(who, scheme);
  }
  if (place.starts_with('[')) {
    place.remove_prefix(1);
    address.host = take(place, ']');
    if (!place.empty() && !place.starts_with(':')) refuse(scheme, "something between ] and the port");
    if (!place.empty()) place.remove_prefix(1);
  } else {
    address.host = take(place, ':');
  }
  if (address.host.empty()) refuse(scheme, "no host");
  if (place.empty()) return address;
  const auto read = std::from_chars(place.data(), place.data() + place.size(), address.port);
  if (read.ec != std::errc() || read.ptr != place.data() + place.size() || address.port == 0) {
    refuse(scheme, "a port that is no number from 1 to 65535");
  }
  return address;
}

std::string ServerAddress::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

}  // namespace hasten
