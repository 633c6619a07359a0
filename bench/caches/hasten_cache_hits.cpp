// A question that was asked before, on a knowledge base of 20,000 nodes: searches that are answered by each
// cache, and the cache alone, beside bare requests for the same bytes over a connection of the same kind; one
// request at a time, a contender after the other in each round. usage: hasten_cache_hits fill KB DOCUMENTS
//        hasten_cache_hits ask KB REDIS_PORT MEMCACHED_PORT ROUNDS -> one JSON object: p50 and p99 by round,
//        in us
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/caches/bare_servers.hpp"
#include "bench/caches/made_up_embedder.hpp"
#include "caches/make_cache.hpp"
#include "engine/caching/result_cache.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "engine/search/search_plan.hpp"

namespace hasten::bench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Access = SegmentStore::Access;

constexpr std::size_t kTurns = 30, kRequests = 48;  // a round: so many requests of each contender, in turns
constexpr std::string_view kQuestions[] = {"How do I open a file?",
                                           "What is a generator expression?",
                                           "sort a list by a key",
                                           "install a package",
                                           "configure the mail server",
                                           "regular expression groups",
                                           "How are partitions encrypted?",
                                           "wie installiere ich ein Paket",
                                           "时区设置",
                                           "parse command line arguments",
                                           "What does a context manager do?",
                                           "threads and locks"};

std::unique_ptr<KnowledgeBase> open(const fs::path& folder, Access access, const json& cache) {
  Settings settings;
  settings.embedder = "made-up";
  settings.recall = 1;
  settings.cache.type = cache.at("type");
  settings.cache.kwargs = cache.value("kwargs", json::object()).dump();
  auto kb = std::make_unique<KnowledgeBase>(folder, settings, access, "bench");
  kb->models.add("made-up", std::make_unique<MadeUpEmbedder>(), nullptr);
  return kb;
}

void fill(const fs::path& folder, const fs::path& documents) {
  const auto kb = open(folder, Access::write, {{"type", "none"}});
  ingest_files(*kb, std::vector<fs::path>{documents}, {}, {}, {});
  compact(*kb, {}, {});
}

/// What answers request i; it throws where the answer is wrong.
using Ask = std::function<void(std::size_t i)>;

struct Contender {
  std::string name;
  Ask ask;
  std::size_t requests = kRequests;  // a turn
  std::vector<double> times = {};    // of this round
  json p50 = json::array(), p99 = json::array();
};

void take_turn(Contender& contender) {
  for (std::size_t i = 0; i < contender.requests; ++i) {
    const auto began = std::chrono::steady_clock::now();
    contender.ask(i);
    const auto took = std::chrono::steady_clock::now() - began;
    contender.times.push_back(std::chrono::duration<double, std::micro>(took).count());
  }
}

void end_round(Contender& contender) {
  std::vector<double>& times = contender.times;
  std::ranges::sort(times);
  contender.p50.push_back(times[times.size() / 2]);
  contender.p99.push_back(times[times.size() * 99 / 100]);
  times.clear();
}

/// The searches of one mode, with what they must find; and the cache entries of them.
class Bench {
 public:
  Bench(fs::path folder, Mode mode, int redis_port, int memcached_port)
      : folder_(std::move(folder)), redis_port_(redis_port), memcached_port_(memcached_port) {
    options_.mode = mode;
    const auto plain = open(folder_, Access::read, {{"type", "none"}});
    for (const std::string_view question : kQuestions) {
      const Found found = search(*plain, question, options_, nullptr, {});
      if (found.result.hits.size() != 10) throw std::runtime_error("fewer than ten hits");
      want_.push_back(found.result);
      keys_.push_back(result_key(*plain, question, with_settings(options_, plain->settings)).value());
      values_.push_back(encode(found));
    }
    add_searches();
    add_caches();
  }

  json run(std::size_t rounds) {
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t turn = 0; turn < kTurns; ++turn) {
        for (Contender& contender : contenders_) take_turn(contender);
      }
      for (Contender& contender : contenders_) end_round(contender);
    }
    json said{{"value_bytes", values_.front().size()}};
    for (const Contender& contender : contenders_) {
      said["contenders"].push_back(
          {{"name", contender.name}, {"p50", contender.p50}, {"p99", contender.p99}});
    }
    return said;
  }

 private:
  json redis(std::string_view name_space) const {
    const json kwargs{{"url", fmt::format("redis://127.0.0.1:{}", redis_port_)}, {"namespace", name_space}};
    return {{"type", "redis"}, {"kwargs", kwargs}};
  }
  json memcached(std::string_view name_space) const {
    const json kwargs{{"url", fmt::format("memcached://127.0.0.1:{}", memcached_port_)},
                      {"namespace", name_space}};
    return {{"type", "memcached"}, {"kwargs", kwargs}};
  }
  static json tiered(std::uint64_t near_bytes, const json& far) {
    return {{"type", "tiered"}, {"kwargs", {{"near", {{"bytes_max", near_bytes}}}, {"far", far}}}};
  }

  void add(std::string name, Ask ask) {
    for (std::size_t i = 0; i < std::size(kQuestions); ++i) ask(i);  // the first time
    contenders_.push_back({std::move(name), std::move(ask)});
  }

  void add_search(const std::string& name, const json& cache, Access access = Access::read) {
    kbs_.push_back(open(folder_, access, cache));
    add("search " + name, [this, name, kb = kbs_.back().get()](std::size_t i) {
      const std::size_t which = i % std::size(kQuestions);
      const SearchResult got = search(*kb, kQuestions[which], options_, nullptr, {}).result;
      const SearchResult& want = want_[which];
      const auto equal = [](const Hit& a, const Hit& b) {
        return a.node.id == b.node.id && a.score == b.score;
      };
      if (!std::ranges::equal(got.hits, want.hits, equal))
        throw std::runtime_error("another answer: " + name);
    });
  }

  void add_searches() {
    constexpr std::uint64_t kNear = 32 << 20, kNothingFits = 1 << 16;
    add_search("in memory, of a reader", {{"type", "memory"}});
    add_search("in memory, of the writer", {{"type", "memory"}}, Access::write);
    add_search("redis", redis("search"));
    add_search("memcached", memcached("search"));
    add_search("tiered before redis, near", tiered(kNear, redis("near")));
    add_search("tiered before redis, far", tiered(kNothingFits, redis("far")));
    add_search("without caches", {{"type", "none"}});
    contenders_.back().requests = 4;  // they take long
  }

  void add_cache(const std::string& name, const json& settings) {
    caches_.push_back(make_cache(settings));
    Cache* const cache = caches_.back().get();
    for (std::size_t i = 0; i < keys_.size(); ++i) cache->put(keys_[i], values_[i], {});
    add("get " + name, [this, cache](std::size_t i) { check(cache->get(keys_[i % keys_.size()]), i); });
  }

  void add_caches() {
    add_cache("in memory", {{"type", "memory"}});
    add_cache("redis", redis("get"));
    redis_ = std::make_unique<BareRedis>(redis_port_);
    add("bare GET, hiredis", [this](std::size_t i) {  // of what the cache before it wrote
      check(redis_->get("get:v:" + keys_[i % keys_.size()]), i);
    });
    add_cache("memcached", memcached("get"));
    memcached_ = std::make_unique<BareMemcached>(memcached_port_);
    for (std::size_t i = 0; i < keys_.size(); ++i) memcached_->set(keys_[i], values_[i]);
    add("bare get, libmemcached",
        [this](std::size_t i) { check(memcached_->get(keys_[i % keys_.size()]), i); });
  }

  void check(const std::optional<std::string>& value, std::size_t i) const {
    if (value != values_[i % values_.size()]) throw std::runtime_error("another value than was put");
  }

  fs::path folder_;
  int redis_port_, memcached_port_;
  SearchOptions options_;
  std::vector<SearchResult> want_;
  std::vector<std::string> keys_, values_;
  std::vector<std::unique_ptr<KnowledgeBase>> kbs_;
  std::vector<std::unique_ptr<Cache>> caches_;
  std::unique_ptr<BareRedis> redis_;
  std::unique_ptr<BareMemcached> memcached_;
  std::vector<Contender> contenders_;
};

json run(const std::vector<std::string>& words) {
  if (words.size() == 3 && words[0] == "fill") {
    fill(words[1], words[2]);
    return json::object();
  }
  json said;
  for (const Mode mode : {Mode::bm25, Mode::hybrid}) {
    Bench bench(words[1], mode, std::stoi(words[2]), std::stoi(words[3]));
    said[std::string(to_string(mode))] = bench.run(std::stoul(words[4]));
  }
  return said;
}

}  // namespace
}  // namespace hasten::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!(words.size() == 3 && words[0] == "fill") && !(words.size() == 5 && words[0] == "ask")) {
    fmt::print(stderr,
               "usage: hasten_cache_hits fill KB DOCUMENTS | ask KB REDIS_PORT MEMCACHED_PORT ROUNDS\n");
    return 2;
  }
  try {
    fmt::print("{}\n", hasten::bench::run(words).dump());
  } catch (const std::exception& error) {
    fmt::print(stderr, "hasten_cache_hits: {}\n", error.what());
    return 1;
  }
}
