// Replays logs of questions through a semantic cache: `hasten_semantic_cache DATA OUT`. A line is a hit where
// the cache gives an answer, a wrong one where it is another than the line's; where there is none, the
// question is kept with its answer. Ours stands beside plain thresholds of the cosine. OUT keeps the vectors.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/percentile.hpp"
#include "bench/semantic_cache/question_logs.hpp"
#include "indexes/kernels.hpp"
#include "retrieval/question_index.hpp"
#include "retrieval/same_question.hpp"

namespace {

using namespace hasten;
using namespace hasten::bench;

constexpr std::size_t kNearest = 16;
constexpr double kNeeded[] = {1, 0.999, 0.99, 0.985, 0.98, 0.97, 0.96, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7, 0.5};
constexpr double kErrorRates[] = {0.001, 0.005, 0.01, 0.02, 0.05};
constexpr double kCosines[] = {0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99};

struct Counts {
  std::size_t lines = 0, could_hit = 0, hits = 0, wrong = 0, of_could_hit = 0;
  std::size_t other_text = 0, other_text_wrong = 0;  ///< hits that no cache by equal text would have had

  void operator+=(const Counts& other) {
    lines += other.lines, could_hit += other.could_hit, hits += other.hits, wrong += other.wrong;
    of_could_hit += other.of_could_hit, other_text += other.other_text,
        other_text_wrong += other.other_text_wrong;
  }
};

/// Which of the nearest answers, if any.
using Matcher =
    std::function<std::optional<std::size_t>(const QuestionFeatures&, std::span<const NearQuestion>)>;

Matcher ours(double needed) {
  return [=](const QuestionFeatures& asked, std::span<const NearQuestion> nearest) {
    return same_question(asked, nearest, needed).hit;
  };
}

Matcher plain(double cosine) {
  return [=](const QuestionFeatures&, std::span<const NearQuestion> nearest) {
    const bool near = !nearest.empty() && nearest[0].cosine >= cosine;
    return near ? std::optional<std::size_t>(0) : std::nullopt;
  };
}

Counts replay(std::span<const Line> lines, const Questions& questions, const Matcher& matches) {
  QuestionIndex index(questions.vectors.dim);
  std::unordered_map<std::uint64_t, std::uint64_t> answers;
  Counts counts;
  for (const Line& line : lines) {
    const auto vector = questions.vectors.row(line.question);
    std::vector<NearQuestion> nearest;
    for (const auto& [id, cosine] : index.nearest(vector, kNearest)) {
      nearest.push_back({&questions.features[id], cosine, answers.at(id)});
    }
    ++counts.lines;
    counts.could_hit += line.could_hit;
    const auto hit = matches(questions.features[line.question], nearest);
    if (!hit) {
      index.add(line.question, vector);
      answers[line.question] = line.answer;
      continue;
    }
    const bool wrong = nearest[*hit].answer != line.answer;
    const bool other_text = !answers.contains(line.question);
    ++counts.hits;
    counts.wrong += wrong;
    counts.of_could_hit += line.could_hit;
    counts.other_text += other_text;
    counts.other_text_wrong += other_text && wrong;
  }
  return counts;
}

Counts judge_pairs(std::span<const Pair> pairs, const Questions& questions, const Matcher& matches) {
  Counts counts;
  for (const Pair& pair : pairs) {
    const double cosine = dot(questions.vectors.row(pair.asked), questions.vectors.row(pair.cached));
    const NearQuestion near{&questions.features[pair.cached], cosine, 1};
    const bool hit = matches(questions.features[pair.asked], {&near, 1}).has_value();
    ++counts.lines;
    counts.could_hit += pair.same;
    counts.hits += hit;
    counts.wrong += hit && !pair.same;
    counts.of_could_hit += hit && pair.same;
    counts.other_text += hit && pair.asked != pair.cached;
    counts.other_text_wrong += hit && pair.asked != pair.cached && !pair.same;
  }
  return counts;
}

void print_head(const std::string& set) {
  fmt::print("\n{:26} {:>6} {:>6} {:>9} {:>10} {:>22} {:>9}\n", set, "hits", "wrong", "at most", "could hit",
             "other text: hits, wrong", "at most");
}

void print_row(const std::string& name, const Counts& counts) {
  fmt::print("{:26} {:6} {:6} {:8.2f}% {:9.1f}% {:15} {:7} {:8.2f}%\n", name, counts.hits, counts.wrong,
             100 * upper_bound(counts.wrong, counts.hits),
             100 * static_cast<double>(counts.of_could_hit) /
                 static_cast<double>(std::max<std::size_t>(1, counts.could_hit)),
             counts.other_text, counts.other_text_wrong,
             100 * upper_bound(counts.other_text_wrong, counts.other_text));
}

using Replay = std::function<Counts(const Matcher&)>;

/// Ours at each of kNeeded.
using Curve = std::vector<Counts>;

Curve curve_of(const Replay& replayed) {
  Curve curve;
  for (const double needed : kNeeded) curve.push_back(replayed(ours(needed)));
  return curve;
}

void print_set(const std::string& set, const Replay& replayed, const Curve& curve) {
  print_head(set);
  for (std::size_t i = 0; i < curve.size(); ++i)
    print_row(fmt::format("sameness {:g}", kNeeded[i]), curve[i]);
  for (const double cosine : kCosines)
    print_row(fmt::format("plain cosine {:g}", cosine), replayed(plain(cosine)));
}

/// Which of kNeeded is the least that keeps every set within the rate, of the hits of other text.
std::size_t calibrated(std::span<const Curve> sets, double rate) {
  std::size_t least = 0;
  for (std::size_t i = 0; i < std::size(kNeeded); ++i) {
    const bool within = std::ranges::all_of(sets, [&](const Curve& curve) {
      return upper_bound(curve[i].other_text_wrong, curve[i].other_text) <= rate;
    });
    if (!within) break;
    least = i;
  }
  return least;
}

/// The lines whose answers are in one half.
std::vector<Line> half_of(std::span<const Line> lines, std::uint64_t half) {
  std::vector<Line> kept;
  std::ranges::copy_if(lines, std::back_inserter(kept),
                       [&](const Line& line) { return (line.answer * 0x9E3779B97F4A7C15u >> 63) == half; });
  return kept;
}

void print_calibration(std::span<const std::vector<Line>> sessions, std::span<const Curve> curves,
                       const Questions& questions) {
  fmt::print("\nthe least sameness within a rate of wrong hits, on all sets\n");
  for (const double rate : kErrorRates) {
    fmt::print("  {:g}: {:g} (in use: {:g})\n", rate, kNeeded[calibrated(curves, rate)], sameness_for(rate));
  }
  // What the other sets would have chosen: whether a threshold carries over to questions of another kind.
  for (const double rate : kErrorRates) {
    print_head(fmt::format("rate {:g}, set held out", rate));
    for (std::size_t set = 0; set < curves.size(); ++set) {
      std::vector<Curve> others(curves.begin(), curves.end());
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(set));
      const std::size_t chosen = calibrated(others, rate);
      print_row(fmt::format("{} ({:g})", kSessions[set], kNeeded[chosen]), curves[set][chosen]);
    }
  }
  std::vector<Curve> halves[2];
  for (const std::size_t half : {0, 1}) {
    for (const auto& lines : sessions) {
      const std::vector<Line> kept = half_of(lines, half);
      halves[half].push_back(
          curve_of([&](const Matcher& matches) { return replay(kept, questions, matches); }));
    }
  }
  for (const double rate : kErrorRates) {
    print_head(fmt::format("rate {:g}, held out by answer", rate));
    for (std::size_t set = 0; set < sessions.size(); ++set) {
      Counts both;
      for (const std::size_t half : {0, 1}) both += halves[half][set][calibrated(halves[1 - half], rate)];
      print_row(kSessions[set], both);
    }
  }
}

/// What features and verdicts cost, all questions kept under their own answers and asked again.
void print_costs(const Questions& questions) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> reading, judging;
  std::size_t hits = 0;
  const auto us_since = [](Clock::time_point from) {
    return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
  };
  QuestionIndex index(questions.vectors.dim);
  for (std::size_t i = 0; i < questions.texts.size(); ++i) index.add(i, questions.vectors.row(i));
  for (std::size_t i = 0; i < questions.texts.size(); ++i) {
    auto from = Clock::now();
    const QuestionFeatures asked = question_features(questions.texts[i]);
    reading.push_back(us_since(from));
    std::vector<NearQuestion> nearest;
    for (const auto& [id, cosine] : index.nearest(questions.vectors.row(i), kNearest)) {
      if (id != i) nearest.push_back({&questions.features[id], cosine, id / 4});
    }
    from = Clock::now();
    const bool hit = same_question(asked, nearest, 0.93).hit.has_value();
    judging.push_back(us_since(from));
    hits += hit;
  }
  fmt::print(
      "\nfeatures of a question: {:.1f} us (p99 {:.1f}); a verdict over {} near ones: {:.1f} us (p99 "
      "{:.1f}), {} hits\n",
      percentile(reading, 0.5), percentile(reading, 0.99), kNearest, percentile(judging, 0.5),
      percentile(judging, 0.99), hits);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: hasten_semantic_cache DATA OUT\n");
    return 2;
  }
  const auto [questions, sessions, pairs] = read_logs(argv[1], argv[2]);

  std::vector<Curve> curves;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const Replay replayed = [&](const Matcher& matches) { return replay(sessions[i], questions, matches); };
    curves.push_back(curve_of(replayed));
    print_set(fmt::format("session.{}", kSessions[i]), replayed, curves.back());
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Replay judged = [&](const Matcher& matches) { return judge_pairs(pairs[i], questions, matches); };
    print_set(fmt::format("pairs.{}", i == 0 ? "en" : "zh"), judged, curve_of(judged));
  }
  print_costs(questions);
  print_calibration(sessions, curves, questions);
}
