// Our word index as one contender of bench/words: takes commands on stdin, a line each, and answers each
// with one line of JSON.
//   build LINES SEGMENT        a passage a line
//   open SEGMENT               maps it; later searches ask it
//   search QUERIES K OUT       every question once; to OUT, K pairs (int32 id, float32 score) a question
//   tokens LINES OUT           the terms of each line, separated by blanks
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "bench/stopwatch.hpp"
#include "indexes/bm25.hpp"
#include "segments/segment_file.hpp"
#include "text/words.hpp"

namespace {

using namespace hasten;
using bench::Stopwatch;

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> terms_of(std::string_view text) {
  std::vector<std::string> texts;
  for (Term& term : terms(text)) texts.push_back(std::move(term.text));
  return texts;
}

std::string build(const std::string& lines, const std::string& file) {
  const Stopwatch watch;
  Bm25Builder builder;
  std::ifstream in(lines);
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line); ++number) {
    const auto cut = terms(line);
    std::vector<std::string_view> words;
    for (const Term& term : cut) words.push_back(term.text);
    builder.add(number, number, words);
  }
  SegmentFileWriter writer(file, "words");
  builder.write(writer);
  const auto bytes = writer.finish();
  return fmt::format("{{{},\"bytes\":{}}}", watch.json(), bytes);
}

std::string tokens(const std::string& lines, const std::string& out) {
  std::ofstream to(out);
  for (const std::string& line : read_lines(lines)) to << fmt::format("{}\n", fmt::join(terms_of(line), " "));
  return "{}";
}

class Contender {
 public:
  std::string open(const std::string& file) {
    const Stopwatch watch;
    file_.emplace(file, "words");
    segment_.emplace(*file_);
    return fmt::format("{{{}}}", watch.json());
  }

  std::string search(const std::string& file, std::size_t k, const std::string& out) {
    struct Pair {
      std::int32_t id = -1;
      float score = 0;
    };
    const auto queries = read_lines(file);
    const Bm25Input input{&*segment_, {}};
    const Bm25Statistics statistics{segment_->nodes(), segment_->total_length()};
    std::vector<Pair> found(queries.size() * k);
    std::vector<double> micros;
    const Stopwatch watch;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      const auto began = std::chrono::steady_clock::now();
      const auto best = search_bm25({&input, 1}, terms_of(queries[i]), statistics, {}, k);
      for (std::size_t j = 0; j < std::min(k, best.size()); ++j) {
        found[i * k + j] = {static_cast<std::int32_t>(best[j].node), static_cast<float>(best[j].score)};
      }
      micros.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
    }
    const std::string times = watch.json();
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(found.data()),
               static_cast<std::streamsize>(found.size() * sizeof(Pair)));
    std::ranges::sort(micros);
    return fmt::format("{{{},\"p50_us\":{:.1f},\"p99_us\":{:.1f}}}", times, micros[micros.size() / 2],
                       micros[micros.size() * 99 / 100]);
  }

 private:
  std::optional<SegmentFile> file_;
  std::optional<Bm25Segment> segment_;
};

}  // namespace

int main() {
  Contender contender;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, a, b;
    std::size_t k = 0;
    words >> verb;
    try {
      std::string answer;
      if (verb == "build" && words >> a >> b) {
        answer = build(a, b);
      } else if (verb == "tokens" && words >> a >> b) {
        answer = tokens(a, b);
      } else if (verb == "open" && words >> a) {
        answer = contender.open(a);
      } else if (verb == "search" && words >> a >> k >> b) {
        answer = contender.search(a, k, b);
      } else {
        answer = fmt::format("{{\"error\":\"no command: {}\"}}", line);
      }
      fmt::print("{}\n", answer);
    } catch (const std::exception& error) {
      fmt::print("{{\"error\":\"{}\"}}\n", error.what());
    }
    std::fflush(stdout);
  }
}
