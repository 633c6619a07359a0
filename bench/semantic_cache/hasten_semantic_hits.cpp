// The semantic cache as ask() uses it: `hasten_semantic_hits DATA OUT QUESTIONS`. Replays the logs through
// it, then fills it with QUESTIONS questions and says what hits and misses cost beside the question's
// embedding.
//
// The vectors of what it is filled with are made, as 100,000 real ones take hours: the log's own, then such
// as lie between them (a vector moved by 0.6 of what two others differ in); their texts are those of the log
// with a number behind. What is asked is real, text and vector: lines of the log, of which a third is not
// kept.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>
#include <span>

#include "base/percentile.hpp"
#include "bench/semantic_cache/question_logs.hpp"
#include "engine/caching/semantic_cache.hpp"
#include "indexes/kernels.hpp"

namespace {

using namespace hasten;
using namespace hasten::bench;
using Clock = std::chrono::steady_clock;
using Kind = SemanticMatch::Kind;

constexpr double kErrorRates[] = {0.05, 0.02, 0.01, 0.005};
constexpr std::size_t kRounds = 20;     // few lines hit by meaning
constexpr std::size_t kEmbedded = 200;  // to see what embedding one question costs

/// What this thread has computed: the machine's other processes do not count.
double us_computed() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double us_since(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

CacheSettings settings_of(double error_rate) {
  CacheSettings settings;
  settings.semantic.on = true;
  settings.semantic.error_rate = error_rate;
  return settings;
}

QuestionVector vector_of(const Questions& questions, std::size_t i) {
  const auto row = questions.vectors.row(i);
  return {"the log's", {row.begin(), row.end()}};
}

// ---- errors ----

struct Counts {
  std::size_t hits = 0, wrong = 0, by_words = 0, could_hit = 0;
};

/// As ask() does: what matches none is kept with its answer; of the others the earlier question is answered.
Counts replay(std::span<const Line> lines, const Questions& questions, double error_rate) {
  SemanticCache cache(settings_of(error_rate));
  std::unordered_map<std::uint64_t, std::uint64_t> answers;  // of what was asked first, by the cache's ids
  std::uint64_t added = 0;
  Counts counts;
  for (const Line& line : lines) {
    const AskedQuestion asked(questions.texts[line.question], 0);
    const QuestionVector vector = vector_of(questions, line.question);
    const SemanticMatch match = cache.match(asked, [&] { return &vector; });
    counts.could_hit += line.could_hit;
    if (match.kind == Kind::none) {
      cache.add(asked, &vector, std::to_string(line.answer));
      answers[++added] = line.answer;
      continue;
    }
    ++counts.hits;
    counts.by_words += match.kind == Kind::words;
    counts.wrong += answers.at(match.id) != line.answer;
  }
  return counts;
}

void print_replays(std::span<const std::vector<Line>> sessions, const Questions& questions) {
  fmt::print("{:10} {:>10} {:>6} {:>9} {:>6} {:>9} {:>10}\n", "log", "error_rate", "hits", "by words",
             "wrong", "at most", "could hit");
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    for (const double rate : kErrorRates) {
      const Counts counts = replay(sessions[i], questions, rate);
      fmt::print("{:10} {:10} {:6} {:9} {:6} {:8.2f}% {:10}\n", kSessions[i], rate, counts.hits,
                 counts.by_words, counts.wrong, 100 * upper_bound(counts.wrong, counts.hits),
                 counts.could_hit);
    }
  }
}

// ---- costs ----

/// Between others, as questions lie that a log has not seen.
QuestionVector made_vector(const Questions& questions, std::size_t i, std::mt19937_64& random) {
  const std::size_t n = questions.texts.size();
  QuestionVector made = vector_of(questions, i % n);
  const auto b = questions.vectors.row(random() % n), c = questions.vectors.row(random() % n);
  for (std::size_t d = 0; d < made.values.size(); ++d) made.values[d] += 0.6f * (b[d] - c[d]);
  const auto length = static_cast<float>(std::sqrt(dot(made.values, made.values)));
  for (float& value : made.values) value /= length;
  return made;
}

struct Costs {
  std::vector<double> us;
  void print(const char* what) const {
    fmt::print("{:32} {:7} {:9.1f} {:9.1f}\n", what, us.size(), percentile(us, 0.5), percentile(us, 0.99));
  }
};

/// What embedding one question costs where it is not cached.
Costs embedding_costs(const Questions& questions) {
  const auto embedder = ModelStore().embedder("multilingual-e5-small");
  Costs costs;
  for (std::size_t i = 0; i < kEmbedded; ++i) {
    const std::string_view text[] = {questions.texts[i * questions.texts.size() / kEmbedded]};
    const auto from = Clock::now();
    embedder->embed(text, Role::query);
    costs.us.push_back(us_since(from));
  }
  return costs;
}

/// Everything from the question's text on, with a vector that is there already.
SemanticMatch timed(SemanticCache& cache, const std::string& text, const QuestionVector& vector,
                    Costs& costs) {
  const double from = us_computed();
  const AskedQuestion asked(text, 0);
  SemanticMatch match = cache.match(asked, [&] { return &vector; });
  costs.us.push_back(us_computed() - from);
  return match;
}

void print_costs(std::span<const std::vector<Line>> sessions, const Questions& questions, std::size_t n) {
  SemanticCache cache(settings_of(0.05));  // a hit costs the same, and there are more of them
  std::vector<std::size_t> kept, left_out;
  Costs adding;
  const auto add = [&](const AskedQuestion& asked, const QuestionVector& vector, const std::string& answer) {
    const double from = us_computed();
    cache.add(asked, &vector, answer);
    adding.us.push_back(us_computed() - from);
  };
  for (const auto& lines : sessions) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      (i % 3 == 0 ? left_out : kept).push_back(lines[i].question);
      const QuestionVector vector = vector_of(questions, lines[i].question);
      if (i % 3 != 0)
        add(AskedQuestion(questions.texts[lines[i].question], 0), vector, std::to_string(lines[i].answer));
    }
  }
  std::mt19937_64 random(1);
  for (std::size_t i = 0; cache.use()->entries < n; ++i) {
    const std::string text = fmt::format("{} {}", questions.texts[i % questions.texts.size()], 10'000 + i);
    add(AskedQuestion(text, 0), made_vector(questions, i, random), std::to_string(i));
  }
  Costs words, meaning, misses;
  for (const std::size_t i : kept) {
    Costs one;
    const bool zh = AskedQuestion(questions.texts[i], 0).language == "zh";
    const std::string text = (zh ? "请问" : "Could you please tell me: ") + questions.texts[i];
    if (timed(cache, text, vector_of(questions, i), one).kind == Kind::words) words.us.push_back(one.us[0]);
  }
  for (std::size_t round = 0; round < kRounds; ++round) {  // asking changes nothing but what was used last
    for (const std::size_t i : left_out) {
      Costs one;
      const Kind kind = timed(cache, questions.texts[i], vector_of(questions, i), one).kind;
      if (kind != Kind::words) (kind == Kind::meaning ? meaning : misses).us.push_back(one.us[0]);
    }
  }
  const CacheUse use = *cache.use();
  fmt::print("\n{:32} {:>7} {:>9} {:>9}\n", fmt::format("us among {} questions", use.entries), "n", "median",
             "p99");
  words.print("(a) hit by words, not embedded");
  meaning.print("(b) hit by meaning, beside it");
  misses.print("    miss, beside it");
  adding.print("    keeping a question");
  embedding_costs(questions).print("embedding a question");
  fmt::print("{:.0f} bytes a question\n", static_cast<double>(use.bytes) / static_cast<double>(use.entries));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: hasten_semantic_hits DATA OUT QUESTIONS\n");
    return 2;
  }
  const Logs logs = read_logs(argv[1], argv[2]);
  print_replays(logs.sessions, logs.questions);
  print_costs(logs.sessions, logs.questions, std::strtoul(argv[3], nullptr, 10));
}
