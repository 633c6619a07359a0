#include "engine/caching/caches.hpp"

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "caches/make_cache.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

/// By Cached.
constexpr struct {
  std::string_view name;
  CacheBudget CacheSettings::*budget;
  bool in_memory = false;  ///< whatever the type: a server would be no nearer than what they were read from
} kKinds[] = {{"embeddings", &CacheSettings::embeddings},   {"lists", &CacheSettings::lists},
              {"results", &CacheSettings::results},         {"answers", &CacheSettings::answers},
              {"passages", &CacheSettings::passages, true}, {"questions", &CacheSettings::questions},
              {"sessions", &CacheSettings::sessions}};
constexpr std::string_view kNone = "none", kMemory = "memory";
constexpr std::string_view kAsked = "asked";      // the ranking of questions
constexpr std::size_t kCountedTogether = 128;     // questions
constexpr std::chrono::seconds kCountedAfter{1};  // where they are fewer

std::size_t index_of(Cached kind) noexcept { return static_cast<std::size_t>(kind); }

json object_of(const std::string& kwargs) {
  json object = json::parse(kwargs, nullptr, false);
  if (!object.is_object()) throw Error(Code::invalid, "cache.kwargs: takes a JSON object, not " + kwargs);
  return object;
}

/// One kind of things has its own budget in memory, and its own names in a server.
json settings_of(const CacheSettings& settings, Cached kind) {
  const auto& [name, budget_of, in_memory] = kKinds[index_of(kind)];
  const CacheBudget& budget = settings.*budget_of;
  if (in_memory || settings.type == kMemory) {
    return {{"type", kMemory}, {"kwargs", {{"bytes_max", budget.bytes_max}}}};
  }
  json kwargs = object_of(settings.kwargs);
  json& server = settings.type == "tiered" ? kwargs["far"]["kwargs"] : kwargs;
  server["namespace"] = server.value("namespace", "hasten") + "-" + std::string(name);
  if (settings.type == "tiered" && !kwargs["near"].contains("bytes_max")) {
    kwargs["near"]["bytes_max"] = budget.bytes_max;
  }
  return {{"type", settings.type}, {"kwargs", kwargs}};
}

}  // namespace

/// A cache that is made when it is first used.
struct Caches::Place {
  std::once_flag once;
  std::unique_ptr<Cache> cache;
  std::atomic<Cache*> made = nullptr;  // for who looks without making it
};

Caches::Caches(const CacheSettings& settings) : settings_(settings) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) places_.push_back(std::make_unique<Place>());
  if (settings.type == kNone) return;
  if (settings.type == kMemory) {
    if (!object_of(settings.kwargs).empty()) {
      throw Error(Code::invalid,
                  "cache.kwargs: a cache in memory takes none; its sizes are set kind by kind: "
                  "[cache.results] bytes_max");
    }
    return;
  }
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {  // so that what is wrong is said now
    if (has(Cached(i))) cache(Cached(i));
  }
}

Caches::~Caches() { count_asked(std::move(asked_)); }

const CacheBudget& Caches::budget(Cached kind) const noexcept {
  return settings_.*kKinds[index_of(kind)].budget;
}

bool Caches::has(Cached kind) const noexcept { return settings_.type != kNone && budget(kind).on; }

Cache& Caches::cache(Cached kind) {
  Place& place = *places_[index_of(kind)];
  std::call_once(place.once, [&] {
    place.cache = make_cache(settings_of(settings_, kind));
    place.made = place.cache.get();
  });
  return *place.cache;
}

std::optional<std::string> Caches::get(Cached kind, const std::string& key, const Meanwhile& meanwhile) {
  if (has(kind)) return cache(kind).get(key, meanwhile);
  if (meanwhile) meanwhile();
  return std::nullopt;
}

std::vector<std::optional<std::string>> Caches::get(Cached kind, std::span<const std::string> keys) {
  if (!has(kind)) return std::vector<std::optional<std::string>>(keys.size());
  return cache(kind).get(keys);
}

void Caches::put(Cached kind, const std::string& key, std::string_view value) {
  if (!has(kind)) return;
  cache(kind).put(key, value, std::chrono::seconds(budget(kind).ttl_seconds));
}

bool Caches::replace(Cached kind, const std::string& key, std::string_view expected, std::string_view value) {
  return has(kind) &&
         cache(kind).replace(key, expected, value, std::chrono::seconds(budget(kind).ttl_seconds));
}

void Caches::count(std::string_view question) {
  if (!has(Cached::questions)) return;
  std::vector<std::string> asked;
  {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(counting_);
    if (asked_.empty()) asked_from_ = now;
    asked_.emplace_back(question);
    if (asked_.size() < kCountedTogether && now < asked_from_ + kCountedAfter) return;
    asked.swap(asked_);
  }
  count_asked(std::move(asked));
}

void Caches::count_asked(std::vector<std::string> asked) {
  if (asked.empty()) return;
  std::ranges::sort(asked);
  std::vector<Counted> counted;
  for (const std::string& question : asked) {
    if (counted.empty() || counted.back().member != question) counted.push_back({question, 0});
    ++counted.back().by;
  }
  cache(Cached::questions).count(kAsked, counted);
}

std::vector<std::pair<std::string, std::uint64_t>> Caches::most_asked(std::size_t n) {
  if (!has(Cached::questions)) return {};
  std::vector<std::string> asked;
  {
    const std::lock_guard lock(counting_);
    asked.swap(asked_);
  }
  count_asked(std::move(asked));
  return cache(Cached::questions).top(kAsked, n);
}

std::vector<CacheUse> Caches::use() const {
  std::vector<CacheUse> all;
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    const Cache* const cache = places_[i]->made;
    if (cache == nullptr) continue;
    const CacheStatistics counted = cache->statistics();
    all.push_back({std::string(kKinds[i].name), cache->where(), counted.hits, counted.misses, counted.puts,
                   counted.evicted, counted.errors, counted.skipped, counted.entries, counted.bytes});
  }
  return all;
}

}  // namespace hasten
