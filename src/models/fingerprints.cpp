#include "models/fingerprints.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kCacheBytesMax = std::uint64_t{1} << 24;

json read_cache(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  json cache = json::parse(read_file(path, kCacheBytesMax), nullptr, false);
  return cache.is_object() ? cache : json::object();
}

}  // namespace

std::string remembered_sha256(const fs::path& home, const fs::path& file) {
  if (!fs::is_regular_file(file)) {
    throw Error(Code::not_found, fmt::format("no model file '{}'", file.string()));
  }
  const std::string key = fs::canonical(file).string();
  const json state = {{"bytes", fs::file_size(file)},
                      {"changed", fs::last_write_time(file).time_since_epoch().count()}};
  const fs::path path = home / "fingerprints.json";
  json cache = read_cache(path);
  if (const auto found = cache.find(key); found != cache.end() && found->is_object() &&
                                          found->value("state", json()) == state &&
                                          found->value("sha256", json()).is_string()) {
    return found->at("sha256");
  }
  const std::string sha256 = sha256_file(file);
  cache[key] = {{"state", state}, {"sha256", sha256}};
  fs::create_directories(home);
  // Two processes may both write: one entry is then computed again some day.
  write_file_atomically(path, cache.dump(1) + "\n");
  return sha256;
}

}  // namespace hasten
