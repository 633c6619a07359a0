#include "stores/milvus/milvus_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/nearest.hpp"
#include "core/kwargs.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::string_view kUriForms = "\"http://host:port\", \"https://host:port\" or \"host:port\"";

[[noreturn]] void refuse_uri(const std::string& place, std::string_view uri, std::string_view why) {
  throw Error(Code::invalid, fmt::format("{} '{}' {}; a server is {}", place, uri, why, kUriForms));
}

/// What Milvus Lite of Python opens in its own process.
bool is_file(std::string_view uri) {
  return uri.ends_with(".db") || uri.starts_with("/") || uri.starts_with("./") || uri.starts_with("file:");
}

std::uint16_t port_of(const std::string& place, std::string_view uri, std::string_view digits) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
    refuse_uri(place, uri, fmt::format("has no port from 1 to 65535 but '{}'", digits));
  }
  return static_cast<std::uint16_t>(port);
}

/// Takes the scheme off. @return whether it asks for TLS.
bool take_scheme(const std::string& place, std::string_view uri, std::string_view& rest) {
  rest = uri;
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return false;
  const std::string_view scheme = uri.substr(0, colon);
  rest = uri.substr(colon + 3);
  if (scheme == "https") return true;
  if (scheme != "http" && scheme != "tcp") {
    refuse_uri(place, uri, fmt::format("has the scheme {}", scheme));
  }
  return false;
}

void read_host(MilvusOptions& options, const std::string& place, std::string_view uri,
               std::string_view rest) {
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {  // an IPv6 address, which has colons of its own
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) refuse_uri(place, uri, "has no ']'");
    options.host = rest.substr(1, bracket - 1);
    colon = bracket + 1 < rest.size() ? bracket + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && rest[colon] != ':') refuse_uri(place, uri, "has text after ']'");
  } else {
    options.host = rest.substr(0, colon);
  }
  if (colon != std::string_view::npos) options.port = port_of(place, uri, rest.substr(colon + 1));
  const auto odd = [](char c) {
    return c <= ' ' || std::string_view("/?#@[]").find(c) != std::string_view::npos;
  };
  if (options.host.empty() || std::ranges::any_of(options.host, odd)) refuse_uri(place, uri, "names no host");
}

void read_uri(MilvusOptions& options, Kwargs& kwargs) {
  const std::string place = kwargs.place("uri");
  const std::string uri = kwargs.text("uri", "http://localhost:19530");
  if (uri.find('@') != std::string::npos) {  // not repeated: it may hold a password
    throw Error(Code::invalid, place + " must not hold a user: give user and password, or token");
  }
  if (is_file(uri)) {
    refuse_uri(place, uri,
               "is a file: start `milvus-lite server --data-dir DIR` and give its address, or take the store "
               "'local', which needs no server");
  }
  std::string_view rest;
  options.tls = take_scheme(place, uri, rest);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  read_host(options, place, uri, rest);
}

void read_token(MilvusOptions& options, Kwargs& kwargs) {
  options.token = kwargs.text("token");
  const std::string user = kwargs.text("user"), password = kwargs.text("password");
  if (!options.token.empty() && !(user.empty() && password.empty())) {
    throw Error(Code::invalid, fmt::format("{} and {} are both given: one of them is enough",
                                           kwargs.place("token"), kwargs.place("user")));
  }
  if (user.empty() != password.empty()) {
    throw Error(Code::invalid,
                fmt::format("{} is given without {}", kwargs.place(user.empty() ? "password" : "user"),
                            kwargs.place(user.empty() ? "user" : "password")));
  }
  if (!user.empty()) options.token = user + ":" + password;
}

void read_tls(MilvusOptions& options, Kwargs& kwargs) {
  if (kwargs.has("tls") && !options.tls) {
    throw Error(Code::invalid, fmt::format("{} is given, but {} does not begin with https://",
                                           kwargs.place("tls"), kwargs.place("uri")));
  }
  Kwargs tls = kwargs.object("tls");
  options.ca_file = tls.text("ca_file");
  options.client_cert = tls.text("client_cert");
  options.client_key = tls.text("client_key");
  options.server_name = tls.text("server_name");
  if (options.client_cert.empty() != options.client_key.empty()) {
    throw Error(Code::invalid,
                fmt::format("{} and {} go together", tls.place("client_cert"), tls.place("client_key")));
  }
  tls.done();
}

MilvusConsistency read_consistency(Kwargs& kwargs) {
  static constexpr std::string_view kWords[] = {"Strong", "Bounded", "Session", "Eventually"};
  const std::string word = kwargs.text("consistency_level", "Strong");
  const auto found = std::ranges::find(kWords, word);
  if (found != std::end(kWords)) return static_cast<MilvusConsistency>(found - kWords);
  const std::string_view near = nearest(word, kWords);
  throw Error(Code::invalid, fmt::format("{}: no level '{}'{}; known: Strong, Bounded, Session, Eventually",
                                         kwargs.place("consistency_level"), word,
                                         near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
}

std::string read_database(Kwargs& kwargs) {
  const std::string name = kwargs.text("db_name", "default");
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!name.empty() && std::ranges::all_of(name, fits)) return name;
  throw Error(Code::invalid, fmt::format("{} '{}' cannot name a database: letters, digits and '_' can",
                                         kwargs.place("db_name"), name));
}

std::chrono::milliseconds read_seconds(Kwargs& kwargs, std::string_view key,
                                       std::chrono::milliseconds missing) {
  const double seconds = kwargs.number(key, static_cast<double>(missing.count()) / 1000, 0.1, 86'400);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

}  // namespace

MilvusOptions MilvusOptions::from(const nlohmann::json& object, const std::string& where) {
  Kwargs kwargs(object, where);
  MilvusOptions options;
  read_uri(options, kwargs);
  read_token(options, kwargs);
  read_tls(options, kwargs);
  options.db_name = read_database(kwargs);
  options.consistency = read_consistency(kwargs);
  options.timeout = read_seconds(kwargs, "timeout_s", options.timeout);
  options.connect_timeout = read_seconds(kwargs, "connect_timeout_s", options.connect_timeout);
  options.retries = static_cast<int>(kwargs.integer("retries", options.retries, 0, 100));
  // The server takes messages of up to 64 MiB; a vector and its fields may go beyond what was meant.
  options.batch_bytes = static_cast<std::size_t>(
      kwargs.integer("batch_bytes", static_cast<std::int64_t>(options.batch_bytes), 64 << 10, 48 << 20));
  options.index = MilvusIndex::from(kwargs.object("index_kwargs"));
  kwargs.done();
  return options;
}

std::string MilvusOptions::address() const {
  const bool colons = host.find(':') != std::string::npos;
  return colons ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace hasten
