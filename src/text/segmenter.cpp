#include "text/segmenter.hpp"

#include <array>
#include <cstddef>

namespace hasten {
namespace {

constexpr double kNever = -3.14e+100;  // jieba's least probability
constexpr std::size_t kStates = 4;

/// Of all ways from a character to the end of the run: the likeliest one's weight, and where its
/// first word ends.
struct Step {
  double weight;
  std::uint32_t to;
};

/// The likeliest first word at `from`, given the steps of all later characters. Of equally likely
/// words the shortest is taken.
Step best_step(const Dictionary& dictionary, std::span<const char32_t> run, std::size_t from,
               std::span<const Step> steps) {
  std::uint32_t node = dictionary.character(run[from]).node;
  Step best{kNever, static_cast<std::uint32_t>(from + 1)};
  const auto consider = [&](std::size_t to) {
    const double weight = steps[to].weight + dictionary.weight(node);
    if (weight > best.weight) best = {weight, static_cast<std::uint32_t>(to)};
  };
  consider(from + 1);
  for (std::size_t to = from + 2; node != 0 && to <= run.size(); ++to) {
    node = dictionary.child(node, run[to - 1]);
    if (dictionary.is_word(node)) consider(to);
  }
  return best;
}

/// Where the likeliest path's word ends, for every character that a word could begin at.
std::vector<Step> best_steps(const Dictionary& dictionary, std::span<const char32_t> run) {
  std::vector<Step> steps(run.size() + 1, Step{0.0, 0});
  for (std::size_t from = run.size(); from-- > 0;) {
    steps[from] = best_step(dictionary, run, from, steps);
  }
  return steps;
}

/// The likeliest state of each character: Viterbi's algorithm.
std::vector<Place> places(const Dictionary& dictionary, std::span<const char32_t> run) {
  constexpr auto kEnd = static_cast<std::uint8_t>(Place::end);
  constexpr auto kSingle = static_cast<std::uint8_t>(Place::single);
  std::vector<std::array<std::uint8_t, kStates>> came_from(run.size());
  Dictionary::Row weight = dictionary.start();
  for (std::size_t state = 0; state < kStates; ++state) {
    weight[state] += dictionary.emission(run.front())[state];
  }
  for (std::size_t i = 1; i < run.size(); ++i) {
    const Dictionary::Row before = weight;
    const Dictionary::Row& emission = dictionary.emission(run[i]);
    for (std::size_t state = 0; state < kStates; ++state) {
      weight[state] = kNever;
      came_from[i][state] = kEnd;
      for (std::size_t from = 0; from < kStates; ++from) {
        const double through = before[from] + dictionary.transition(from)[state] + emission[state];
        if (through > weight[state]) {
          weight[state] = through;
          came_from[i][state] = static_cast<std::uint8_t>(from);
        }
      }
    }
  }
  std::vector<Place> path(run.size());
  std::uint8_t state = weight[kEnd] >= weight[kSingle] ? kEnd : kSingle;
  for (std::size_t i = run.size(); i-- > 0;) {
    path[i] = static_cast<Place>(state);
    state = came_from[i][state];
  }
  return path;
}

/// Cuts characters [from, to), which the dictionary left alone, by the hidden Markov model.
void cut_unknown(const Dictionary& dictionary, std::span<const char32_t> run, std::uint32_t from,
                 std::uint32_t to, std::vector<WordRange>& words) {
  if (to - from == 1) return words.push_back({from, to});
  const auto states = places(dictionary, run.subspan(from, to - from));
  std::uint32_t begin = from;
  for (std::uint32_t i = from; i < to; ++i) {
    const Place place = states[i - from];
    if (place != Place::end && place != Place::single) continue;
    words.push_back({begin, i + 1});
    begin = i + 1;
  }
}

}  // namespace

std::vector<WordRange> cut(const Dictionary& dictionary, std::span<const char32_t> run) {
  const auto steps = best_steps(dictionary, run);
  const auto is_single = [&](std::uint32_t at) { return at < run.size() && steps[at].to == at + 1; };
  std::vector<WordRange> words;
  for (std::uint32_t at = 0; at < run.size();) {
    std::uint32_t to = at;
    while (is_single(to)) ++to;
    if (to > at) {
      cut_unknown(dictionary, run, at, to, words);
    } else {
      to = steps[at].to;
      words.push_back({at, to});
    }
    at = to;
  }
  return words;
}

}  // namespace hasten
