// Recall and latency of a vector store beside the truth, on vectors that are given:
//     hasten_store_recall STORE BASE.fbin QUERIES.fbin [N] [QUESTIONS]
// STORE as `hasten --store` has it. Each passage is a number, the vector of which is a row of BASE; the
// questions are rows of QUERIES. Prints lines of JSON: what was measured when the vectors were sent, then the
// recall of searches against scans of all (recall = 1), and how long either takes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "../stopwatch.hpp"
#include "hasten/document.hpp"

namespace {

using namespace hasten;
namespace fs = std::filesystem;
using Json = nlohmann::json;

/// u32 rows, u32 dim, then float32 row after row. @param most  rows that are read.
Matrix read_vectors(const char* file, std::size_t most) {
  std::ifstream in(file, std::ios::binary);
  std::uint32_t header[2] = {};
  in.read(reinterpret_cast<char*>(header), sizeof header);
  Matrix vectors{std::min<std::size_t>(header[0], most), header[1], {}};
  vectors.values.resize(vectors.rows * vectors.dim);
  in.read(reinterpret_cast<char*>(vectors.values.data()),
          static_cast<std::streamsize>(vectors.values.size() * sizeof(float)));
  if (!in) throw std::runtime_error(fmt::format("{} cannot be read", file));
  return vectors;
}

/// A text is the number of its vector: of a passage in one matrix, of a question in the other.
class Given final : public Embedder {
 public:
  Given(const Matrix& passages, const Matrix& questions) : passages_(passages), questions_(questions) {}
  Matrix embed(std::span<const std::string_view> texts, Role role, std::stop_token) const override {
    const Matrix& of = role == Role::query ? questions_ : passages_;
    Matrix vectors{texts.size(), of.dim, {}};
    for (const std::string_view text : texts) {
      std::size_t number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      const auto row = of.row(number % of.rows);
      vectors.values.insert(vectors.values.end(), row.begin(), row.end());
    }
    return vectors;
  }
  std::size_t dim() const override { return passages_.dim; }
  std::size_t max_tokens() const override { return 1 << 20; }
  std::string fingerprint() const override { return "given"; }

 private:
  const Matrix &passages_, &questions_;
};

struct Asked {
  std::vector<std::vector<std::string>> paths;
  std::vector<double> ms;
};

Asked ask(const Document& document, std::size_t questions, double recall) {
  SearchOptions options;
  options.mode = Mode::vector;
  options.recall = recall;
  Asked asked;
  for (std::size_t i = 0; i < questions; ++i) {
    const bench::Stopwatch watch;
    const auto hits = document.search(std::to_string(i), options).hits;
    asked.ms.push_back(1000 * (bench::seconds(CLOCK_MONOTONIC) - watch.wall));
    std::vector<std::string> paths;
    for (const Hit& hit : hits) paths.push_back(hit.path);
    std::ranges::sort(paths);
    asked.paths.push_back(std::move(paths));
  }
  std::ranges::sort(asked.ms);
  return asked;
}

double recall_of(const Asked& found, const Asked& truth) {
  std::size_t there = 0, wanted = 0;
  for (std::size_t i = 0; i < truth.paths.size(); ++i) {
    std::vector<std::string> both;
    std::ranges::set_intersection(found.paths[i], truth.paths[i], std::back_inserter(both));
    there += both.size();
    wanted += truth.paths[i].size();
  }
  return static_cast<double>(there) / static_cast<double>(wanted);
}

void print(const Json& line) {
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

void run(int argc, char** argv, const fs::path& folder) {
  const auto number = [&](int i, std::size_t missing) {
    return argc > i ? static_cast<std::size_t>(std::atoll(argv[i])) : missing;
  };
  const Matrix passages = read_vectors(argv[2], number(4, 100'000));
  const Matrix questions = read_vectors(argv[3], SIZE_MAX);
  Settings settings;
  settings.embedder = "given";
  settings.stores = Stores::parse(argv[1]);
  auto document = Document::open(folder, settings, Document::Access::write);
  document.register_embedder("given", std::make_unique<Given>(passages, questions));
  std::vector<TextDocument> texts;
  for (std::size_t i = 0; i < passages.rows; ++i)
    texts.push_back({fmt::format("{:07}", i), std::to_string(i), {}});
  const auto on_progress = [](const Progress& progress) {
    if (progress.stage == "notice") print({{"notice", progress.message}});
  };
  const bench::Stopwatch watch;
  const IngestReport report = document.add(texts, {}, on_progress);
  Json stages;
  for (const Stage& stage : report.stages) stages[stage.name] = stage.duration_ms;
  print({{"vectors", passages.rows},
         {"ingest_s", bench::seconds(CLOCK_MONOTONIC) - watch.wall},
         {"ms", stages}});
  for (const auto& [group, measured] : document.status().store_recall) {
    print({{"measured", measured.recall},
           {"candidates", measured.candidates},
           {"questions", measured.questions}});
  }
  const std::size_t n = std::min(number(5, 300), questions.rows);
  const Asked truth = ask(document, n, 1);
  for (const double recall : {0.95, 0.99, 0.999}) {
    const Asked found = ask(document, n, recall);
    print({{"asked_recall", recall},
           {"recall", recall_of(found, truth)},
           {"p50_ms", found.ms[n / 2]},
           {"p99_ms", found.ms[n * 99 / 100]},
           {"scan_p50_ms", truth.ms[n / 2]}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: hasten_store_recall STORE BASE.fbin QUERIES.fbin [N] [QUESTIONS]\n");
    return 2;
  }
  std::string pattern = (fs::temp_directory_path() / "hasten-stores-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  int exit = 0;
  try {
    run(argc, argv, folder / "kb");
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    exit = 1;
  }
  fs::remove_all(folder);
  return exit;
}
