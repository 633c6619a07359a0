// How often the caches answer while documents come, go and change: real questions by Zipf's law, a commit of
// 1 to 5 documents before each tenth. One answer in twenty is compared, bit by bit, with a search without
// caches. usage: hasten_hit_rate DATA KB bm25|hybrid SEED STEPS BYTES_MAX -> one JSON object
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bench/caches/made_up_embedder.hpp"
#include "hasten/document.hpp"

namespace hasten::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kQuestions = 10'000, kStepsACommit = 10, kStepsACompare = 20, kDocumentsMax = 5;
constexpr std::string_view kSets[] = {"scifact", "cmrc2018", "drcd", "xquad-en", "xquad-zh"};
constexpr std::string_view kLogs[] = {"en-intent", "en", "zh"};

std::vector<json> read_lines(const fs::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("no file " + file.string());
  std::vector<json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

std::vector<TextDocument> passages(const fs::path& data) {
  std::vector<TextDocument> all;
  for (const std::string_view set : kSets) {
    for (const json& line : read_lines(data / set / "corpus.jsonl")) {
      const std::string path = fmt::format("{}/{}", set, line.at("_id").get<std::string>());
      all.push_back({path, line.at("text").get<std::string>(), {}});
    }
  }
  return all;
}

/// Those of the data sets and of the logs, each once.
std::vector<std::string> questions(const fs::path& data, std::mt19937_64& random) {
  std::set<std::string> all;
  for (const std::string_view set : kSets) {
    for (const json& line : read_lines(data / set / "queries.jsonl")) all.insert(line.at("text"));
  }
  for (const std::string_view log : kLogs) {
    const fs::path file = data / "sessions" / fmt::format("session.{}.jsonl", log);
    for (const json& line : read_lines(file)) all.insert(line.at("query"));
  }
  std::vector<std::string> asked(all.begin(), all.end());
  std::ranges::shuffle(asked, random);
  if (asked.size() < kQuestions) throw std::runtime_error("fewer questions than 10,000");
  asked.resize(kQuestions);
  return asked;
}

/// A cache of 32 MiB a kind, as by default, or of more.
Settings settings(const std::string& cache, std::uint64_t bytes_max) {
  Settings settings;
  settings.embedder = "made-up";
  settings.recall = 1;  // approximate answers may differ
  settings.threads = 1;
  settings.group = "Piece";
  settings.groups = {{.name = "Piece", .chunk_size = 200, .chunk_overlap = 20}};
  settings.cache.type = cache;
  if (bytes_max > 0) settings.cache.lists.bytes_max = settings.cache.results.bytes_max = bytes_max;
  return settings;
}

Document open(const fs::path& kb, const Settings& settings, Document::Access access) {
  Document document = Document::open(kb, settings, access);
  document.register_embedder("made-up", std::make_unique<MadeUpEmbedder>());
  return document;
}

/// Documents that come, go and change; about as many are there at any time.
class Changes {
 public:
  Changes(std::vector<TextDocument> all, std::mt19937_64& random) : random_(random), there_(std::move(all)) {
    std::ranges::shuffle(there_, random_);
    const std::size_t kept = there_.size() * 9 / 10;
    away_.assign(there_.begin() + static_cast<std::ptrdiff_t>(kept), there_.end());
    there_.resize(kept);
  }
  const std::vector<TextDocument>& there() const noexcept { return there_; }

  /// A third of the commits removes; in the others half of the documents are new, and half have one sentence
  /// more than before.
  void commit(Document& document) {
    const std::size_t n = 1 + random_() % kDocumentsMax;
    if (random_() % 3 == 0) return remove(document, n);
    std::map<std::string, TextDocument> given;
    for (std::size_t i = 0; i < n; ++i) {
      const bool is_new = random_() % 2 == 0 && !away_.empty();
      if (is_new) {
        there_.push_back(take(away_));
      } else {
        std::swap(there_[random_() % there_.size()], there_.back());
        there_.back().text += " " + sentence();
      }
      given[there_.back().path] = there_.back();
    }
    std::vector<TextDocument> texts;
    for (auto& [path, text] : given) texts.push_back(std::move(text));
    document.add(texts);
  }

 private:
  TextDocument take(std::vector<TextDocument>& from) {
    std::swap(from[random_() % from.size()], from.back());
    TextDocument taken = std::move(from.back());
    from.pop_back();
    return taken;
  }
  void remove(Document& document, std::size_t n) {
    std::vector<fs::path> paths;
    for (std::size_t i = 0; i < n; ++i) {
      away_.push_back(take(there_));
      paths.emplace_back(away_.back().path);
    }
    document.remove(paths);
  }
  /// The beginning of a passage that is somewhere else.
  std::string sentence() {
    const std::string& text = there_[random_() % there_.size()].text;
    const std::size_t stop = std::min(text.find(". "), text.find("。"));
    return text.substr(0, stop == text.npos ? text.size() : stop) + ".";
  }

  std::mt19937_64& random_;
  std::vector<TextDocument> there_, away_;
};

/// Ranks from 0, each asked as often as its place says.
class Zipf {
 public:
  explicit Zipf(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      sums_.push_back((i == 0 ? 0 : sums_.back()) + 1.0 / static_cast<double>(i + 1));
  }
  std::size_t operator()(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return static_cast<std::size_t>(std::ranges::upper_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

enum class Outcome { hit, updated, partly, searched };

/// The whole result at its commit; all of its lists from the cache; some of them; none.
Outcome outcome_of(const Trace& trace, std::map<std::string, std::size_t>& lists) {
  std::size_t known = 0, missing = 0;
  for (const Stage& stage : trace.stages()) {
    for (const auto& [key, value] : stage.notes) {
      if (stage.name == "search.cache" && value == "hit") return Outcome::hit;
      if (key != "cache" || (stage.name != "search.bm25" && stage.name != "search.vectors")) continue;
      ++lists[stage.name + " " + value];
      ++(value == "miss" ? missing : known);
    }
  }
  if (known + missing == 0) throw std::runtime_error("a search without lists");
  return missing == 0 ? Outcome::updated : known > 0 ? Outcome::partly : Outcome::searched;
}

void check_equal(const SearchResult& got, const SearchResult& want, const std::string& question) {
  const auto equal = [](const Hit& a, const Hit& b) {
    return a.node.id == b.node.id && a.score == b.score && a.node.text == b.node.text &&
           a.node.span == b.node.span && a.path == b.path;
  };
  if (!std::ranges::equal(got.hits, want.hits, equal) || got.relevance != want.relevance) {
    throw std::runtime_error("another answer with the caches than without: " + question);
  }
}

double microseconds(Clock::time_point began) {
  return std::chrono::duration<double, std::micro>(Clock::now() - began).count();
}

double median(std::vector<double>& times) {
  if (times.empty()) return 0;
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

json run(const fs::path& data, const fs::path& kb, Mode mode, std::uint64_t seed, std::size_t steps,
         std::uint64_t bytes_max) {
  std::mt19937_64 random(seed);
  const std::vector<std::string> asked = questions(data, random);
  const Zipf zipf(asked.size());
  Changes changes(passages(data), random);
  Document document = open(kb, settings("memory", bytes_max), Document::Access::write);
  document.add(changes.there(), {.groups = {"Piece"}});
  document.compact();
  const Document plain = open(kb, settings("none", 0), Document::Access::read);
  const std::uint64_t nodes = document.status().nodes.at("Piece");
  SearchOptions options;
  options.mode = mode;

  std::map<std::string, std::size_t> lists;
  std::map<Outcome, std::vector<double>> times;
  std::map<Outcome, std::map<std::string, std::vector<double>>> stages;
  std::vector<double> plain_times, commit_times;
  std::set<std::size_t> ever, since_commit;
  std::size_t first_time = 0, flushed = 0, compared = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    if (step % kStepsACommit == 0) {
      const auto began = Clock::now();
      changes.commit(document);
      commit_times.push_back(microseconds(began));
      since_commit.clear();
    }
    const std::size_t which = zipf(random);
    if (ever.insert(which).second) ++first_time;
    if (!since_commit.insert(which).second) ++flushed;
    Trace trace;
    auto began = Clock::now();
    const SearchResult found = document.search(asked[which], options, &trace);
    const double took = microseconds(began);
    const Outcome outcome = outcome_of(trace, lists);
    times[outcome].push_back(took);
    for (const Stage& stage : trace.stages()) stages[outcome][stage.name].push_back(stage.duration_ms * 1000);
    if (step % kStepsACompare != 0) continue;
    began = Clock::now();
    const SearchResult want = plain.search(asked[which], options);
    plain_times.push_back(microseconds(began));
    check_equal(found, want, asked[which]);
    ++compared;
  }
  const std::size_t hits = times[Outcome::hit].size() + times[Outcome::updated].size();
  const double ratio = static_cast<double>(hits) / static_cast<double>(std::max<std::size_t>(flushed, 1));
  json said{{"steps", steps},
            {"nodes", nodes},
            {"nodes_at_the_end", document.status().nodes.at("Piece")},
            {"first_time", first_time},
            {"hit", times[Outcome::hit].size()},
            {"updated", times[Outcome::updated].size()},
            {"partly", times[Outcome::partly].size()},
            {"searched", times[Outcome::searched].size()},
            {"flushed", flushed},
            {"ratio", ratio},
            {"compared", compared},
            {"lists", lists},
            {"hit_us", median(times[Outcome::hit])},
            {"updated_us", median(times[Outcome::updated])},
            {"searched_us", median(times[Outcome::searched])},
            {"without_us", median(plain_times)},
            {"commit_us", median(commit_times)}};
  for (auto& [name, times_of] : stages[Outcome::updated]) said["updated_stages_us"][name] = median(times_of);
  for (auto& [name, times_of] : stages[Outcome::searched])
    said["searched_stages_us"][name] = median(times_of);
  for (const CacheUse& use : document.status().caches) {
    said["caches"][use.name] = {{"hits", use.hits},
                                {"misses", use.misses},
                                {"evicted", use.evicted},
                                {"entries", use.entries},
                                {"bytes", use.bytes}};
  }
  return said;
}

}  // namespace
}  // namespace hasten::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() != 6) {
    fmt::print(stderr, "usage: hasten_hit_rate DATA KB bm25|hybrid SEED STEPS BYTES_MAX\n");
    return 2;
  }
  try {
    const auto said = hasten::bench::run(words[0], words[1], hasten::mode_from_string(words[2]),
                                         std::stoull(words[3]), std::stoull(words[4]), std::stoull(words[5]));
    fmt::print("{}\n", said.dump());
  } catch (const std::exception& error) {
    fmt::print(stderr, "hasten_hit_rate: {}\n", error.what());
    return 1;
  }
}
