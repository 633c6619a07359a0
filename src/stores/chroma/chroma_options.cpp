#include "stores/chroma/chroma_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/kwargs.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

// Written without the value where it may hold a password.
[[noreturn]] void refuse(const std::string& place, const std::string& what) {
  throw Error(Code::invalid, place + " " + what);
}

std::string uri_of(Kwargs& kwargs) {
  const std::string example = "must be an address like http://127.0.0.1:8000";
  if (kwargs.has("uri") && (kwargs.has("host") || kwargs.has("port"))) {
    refuse(kwargs.place("uri"), "says where the server is, and so do host and port: give one of the two");
  }
  if (!kwargs.has("uri")) {
    const std::string host = kwargs.text("host", "127.0.0.1");
    const auto port = kwargs.integer("port", 8000, 1, 65535);
    if (host.empty() || host.find_first_of("/@ ?#") != std::string::npos) {
      refuse(kwargs.place("host"), "must be the name of a machine, with uri for an address");
    }
    return fmt::format("http://{}:{}", host, port);
  }
  std::string uri = kwargs.text("uri");
  while (uri.ends_with('/')) uri.pop_back();
  const std::size_t host = uri.find("://") + 3;
  if (!uri.starts_with("http://") && !uri.starts_with("https://")) refuse(kwargs.place("uri"), example);
  if (uri.find('@') != std::string::npos) {
    refuse(kwargs.place("uri"), "cannot hold a user's name: give it as token or in headers");
  }
  if (host >= uri.size() || uri[host] == '/' || uri.find_first_of(" ?#") != std::string::npos) {
    refuse(kwargs.place("uri"), example);
  }
  return uri;
}

std::string secret(Kwargs& kwargs, const std::string& key) {
  const json& value = kwargs.value(key);
  if (value.is_null()) return {};
  const auto fits = [](const std::string& text) {
    return !text.empty() && std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  };
  if (!value.is_string() || !fits(value.get<std::string>())) {
    refuse(kwargs.place(key), "must be a string of one line that is not empty");
  }
  return value.get<std::string>();
}

std::vector<std::string> headers_of(Kwargs& kwargs) {
  std::vector<std::string> headers;
  // Chroma's own clients send a token in either of these.
  if (const std::string token = secret(kwargs, "token"); !token.empty()) {
    headers = {"Authorization: Bearer " + token, "X-Chroma-Token: " + token};
  }
  const json& given = kwargs.value("headers");
  if (given.is_null()) return headers;
  if (!given.is_object()) refuse(kwargs.place("headers"), "must be an object of names and values");
  Kwargs lines = kwargs.object("headers");
  for (const auto& [name, _] : given.items()) {
    const bool is_name = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
      return c > ' ' && c < 0x7f && c != ':';
    });
    if (!is_name) refuse(kwargs.place("headers"), "must have names of letters, digits and '-'");
    headers.push_back(fmt::format("{}: {}", name, secret(lines, name)));
  }
  return headers;
}

// What Chroma 1.5 takes when a collection is made; a value that is not sensible is taken, too, and makes an
// index that finds next to nothing (ef_construction 0).
json hnsw_of(Kwargs index) {
  Kwargs hnsw = index.object("hnsw");
  json given = json::object();
  for (const auto& [key, min] : std::vector<std::pair<std::string, std::int64_t>>{{"ef_construction", 1},
                                                                                  {"ef_search", 1},
                                                                                  {"max_neighbors", 2},
                                                                                  {"num_threads", 1},
                                                                                  {"batch_size", 1},
                                                                                  {"sync_threshold", 2}}) {
    if (const auto value = hnsw.integer(key, 0, min, 1'000'000); value != 0) given[key] = value;
  }
  if (hnsw.has("resize_factor")) given["resize_factor"] = hnsw.number("resize_factor", 1.2, 1.01, 100);
  if (hnsw.has("space")) {
    const std::string space = hnsw.text("space");
    if (space != "cosine" && space != "ip" && space != "l2") {
      refuse(hnsw.place("space"), "must be cosine, ip or l2, it is " + space);
    }
    given["space"] = space;
  }
  hnsw.done();
  index.done();
  return given;
}

}  // namespace

ChromaOptions ChromaOptions::parse(const json& kwargs, const std::string& where) {
  Kwargs keys(kwargs, where);
  if (keys.has("dir")) {
    refuse(
        keys.place("dir"),
        "is a folder for Chroma within Python; run 'chroma run --path DIR' over it, and give that server's "
        "address as uri");
  }
  ChromaOptions options;
  options.uri = uri_of(keys);
  options.tenant = keys.text("tenant", options.tenant);
  options.database = keys.text("database", options.database);
  if (options.tenant.empty()) refuse(keys.place("tenant"), "must not be empty");
  if (options.database.empty()) refuse(keys.place("database"), "must not be empty");
  options.headers = headers_of(keys);
  options.hnsw = hnsw_of(keys.object("index_kwargs"));
  options.timeout = std::chrono::milliseconds(std::llround(1000 * keys.number("timeout_s", 60, 0.1, 86'400)));
  options.over_ask = keys.number("over_ask", options.over_ask, 1, 100);
  keys.done();
  return options;
}

}  // namespace hasten
