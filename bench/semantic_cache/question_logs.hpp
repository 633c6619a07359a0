// Logs of questions for the programs of this folder, and what they say of errors.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hasten/models.hpp"
#include "retrieval/question_features.hpp"

namespace hasten::bench {

inline constexpr const char* kSessions[] = {"en", "zh", "en-intent"};

struct Line {
  std::size_t question;
  std::uint64_t answer;
  bool could_hit;
};

struct Pair {
  std::size_t asked, cached;
  bool same;
};

/// Distinct questions with what is known of them.
struct Questions {
  std::vector<std::string> texts;
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<QuestionFeatures> features;
  Matrix vectors;

  std::size_t number(const std::string& text) {
    const auto [at, added] = numbers.try_emplace(text, texts.size());
    if (added) texts.push_back(text);
    return at->second;
  }
};

inline std::vector<Line> read_session(const std::filesystem::path& file, Questions& questions) {
  std::ifstream in(file);
  std::vector<Line> lines;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    lines.push_back({questions.number(json.at("query")), std::hash<std::string>()(json.at("answer")),
                     json.at("could_hit")});
  }
  return lines;
}

inline std::vector<Pair> read_pairs(const std::filesystem::path& file, Questions& questions) {
  std::ifstream in(file);
  std::vector<Pair> pairs;
  for (std::string line; std::getline(in, line);) {
    const std::size_t a = line.find('\t'), b = line.find('\t', a + 1);
    pairs.push_back({questions.number(line.substr(0, a)), questions.number(line.substr(a + 1, b - a - 1)),
                     line[b + 1] == '1'});
  }
  return pairs;
}

/// As the embedder sees questions; read from `out`, where an earlier run kept them as big-ann-benchmarks do:
/// u32 rows, u32 dim, then float32 row after row.
inline Matrix vectors_of(const std::vector<std::string>& texts, const std::filesystem::path& out) {
  const auto embedder = ModelStore().embedder("multilingual-e5-small");
  std::string joined = embedder->fingerprint();
  for (const std::string& text : texts) joined += '\n' + text;
  const auto file = out / fmt::format("questions-{:016x}.fbin", std::hash<std::string>()(joined));
  Matrix vectors{texts.size(), embedder->dim(), std::vector<float>(texts.size() * embedder->dim())};
  const auto bytes = static_cast<std::streamsize>(vectors.values.size() * sizeof(float));
  const std::uint32_t header[] = {static_cast<std::uint32_t>(vectors.rows),
                                  static_cast<std::uint32_t>(vectors.dim)};
  std::ifstream in(file, std::ios::binary);
  in.ignore(sizeof header);
  if (in.read(reinterpret_cast<char*>(vectors.values.data()), bytes)) return vectors;
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  vectors = embedder->embed(views, Role::query);
  std::ofstream kept(file, std::ios::binary);
  kept.write(reinterpret_cast<const char*>(header), sizeof header);
  kept.write(reinterpret_cast<const char*>(vectors.values.data()), bytes);
  return vectors;
}

struct Logs {
  Questions questions;
  std::vector<std::vector<Line>> sessions;  ///< of kSessions
  std::vector<std::vector<Pair>> pairs;     ///< English, Chinese
};

/// @param out  keeps the vectors.
inline Logs read_logs(const std::filesystem::path& data, const std::filesystem::path& out) {
  Logs logs;
  Questions& questions = logs.questions;
  for (const char* name : kSessions) {
    const auto file = data / "sessions" / fmt::format("session.{}.jsonl", name);
    logs.sessions.push_back(read_session(file, questions));
  }
  for (const char* name : {"en", "zh"}) {
    logs.pairs.push_back(read_pairs(data / "paraphrase" / fmt::format("pairs.{}.tsv", name), questions));
  }
  for (const std::string& text : questions.texts) questions.features.push_back(question_features(text));
  questions.vectors = vectors_of(questions.texts, out);
  return logs;
}

/// The largest rate at which so few wrong ones still happen in one of twenty cases (Clopper & Pearson 1934).
inline double upper_bound(std::size_t wrong, std::size_t hits) {
  if (wrong >= hits) return 1;
  const double n = static_cast<double>(hits);
  const auto chance_of_so_few = [&](double p) {
    double sum = 0;
    for (std::size_t i = 0; i <= wrong; ++i) {
      const double k = static_cast<double>(i);
      sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) +
                      (n - k) * std::log1p(-p));
    }
    return sum;
  };
  double low = 0, high = 1;
  for (int round = 0; round < 50; ++round) {
    const double middle = (low + high) / 2;
    (chance_of_so_few(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

}  // namespace hasten::bench
