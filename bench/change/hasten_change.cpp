// Changes through Document while another thread searches: a JSON line a command.
//   fill KB BASE.fbin ROWS                    documents 0 to ROWS - 1, one node each, with their vectors
//   insert KB BASE.fbin QUERIES.fbin FIRST COUNT BATCH SECONDS
//   remove KB BASE.fbin COUNT                 until a search no longer finds it
//   large KB BASE.fbin NODES                  adds and removes one document of so many nodes
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "hasten/document.hpp"

namespace {

using namespace hasten;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point began) {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

struct Vectors {
  std::uint32_t rows = 0, dim = 0;
  std::vector<float> values;
  explicit Vectors(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Error(Code::not_found, "no vectors in " + file);
    in.read(reinterpret_cast<char*>(&rows), 4).read(reinterpret_cast<char*>(&dim), 4);
    values.resize(std::size_t{rows} * dim);
    in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * 4));
  }
};

/// Has every vector already: of the text "passage 17" that of row 17, of "question 17" of the questions'.
class Given : public Embedder {
 public:
  Given(const std::string& base, const std::string& queries) : base_(base), queries_(queries) {}
  Matrix embed(std::span<const std::string_view> texts, Role, std::stop_token) const override {
    Matrix vectors{texts.size(), base_.dim, {}};
    for (const std::string_view text : texts) {
      const Vectors& from = text.starts_with("question") ? queries_ : base_;
      const std::size_t digit = text.find_first_of("0123456789");
      const std::size_t row =
          digit == text.npos ? 0 : std::stoul(std::string(text.substr(digit))) % from.rows;
      const float* const at = from.values.data() + row * from.dim;
      vectors.values.insert(vectors.values.end(), at, at + from.dim);
    }
    return vectors;
  }
  std::size_t dim() const override { return base_.dim; }
  std::size_t max_tokens() const override { return 512; }
  std::string fingerprint() const override { return "given vectors"; }

 private:
  Vectors base_, queries_;
};

Document open_kb(const std::string& folder, const std::string& base, const std::string& queries) {
  Settings settings;
  settings.embedder = "given";
  settings.threads = 1;
  settings.cache.type = "none";  // searches are what is measured
  Document document = Document::open(folder, settings, Document::Access::write);
  document.register_embedder("given", std::make_unique<Given>(base, queries));
  return document;
}

std::vector<TextDocument> passages(std::size_t first, std::size_t count) {
  std::vector<TextDocument> documents;
  for (std::size_t i = first; i < first + count; ++i) {
    documents.push_back({fmt::format("p/{}", i), fmt::format("passage {}", i), {}});
  }
  return documents;
}

struct Percentiles {
  double p50 = 0, p99 = 0, max = 0;
  explicit Percentiles(std::vector<double> times) {
    if (times.empty()) return;
    std::ranges::sort(times);
    p50 = times[times.size() / 2];
    p99 = times[times.size() * 99 / 100];
    max = times.back();
  }
  std::string json(std::string_view name) const {
    return fmt::format("\"{0}_p50_ms\":{1:.3f},\"{0}_p99_ms\":{2:.3f},\"{0}_max_ms\":{3:.3f}", name, p50, p99,
                       max);
  }
};

/// Asks one question after the other until `done`, at least `seconds`.
std::vector<double> ask(const Document& document, const std::atomic<bool>& done, double seconds) {
  std::vector<double> times;
  const auto began = Clock::now();
  for (std::size_t i = 0; !done || ms_since(began) < seconds * 1000; ++i) {
    const auto asked = Clock::now();
    const auto found = document.search(fmt::format("question {}", i % 2000), {.mode = Mode::vector});
    times.push_back(ms_since(asked));
    if (found.hits.size() != 10) throw Error(Code::internal, "a search found fewer than ten");
  }
  return times;
}

std::string fill(const std::string& kb, const std::string& base, std::size_t rows) {
  Document document = open_kb(kb, base, base);
  const auto began = Clock::now();
  for (std::size_t at = 0; at < rows; at += 5000) {
    document.add(passages(at, std::min<std::size_t>(5000, rows - at)), {.merge = false});
  }
  const double added = ms_since(began) / 1000;
  document.compact();
  document.add({});  // measures recall
  return fmt::format("{{\"added_s\":{:.1f},\"all_s\":{:.1f}}}", added, ms_since(began) / 1000);
}

std::string insert(const std::string& kb, const std::string& base, const std::string& queries,
                   std::size_t first, std::size_t count, std::size_t batch, double seconds) {
  Document document = open_kb(kb, base, queries);
  const std::atomic<bool> at_once = true;
  ask(document, at_once, 0.3);
  const Percentiles idle(ask(document, at_once, seconds));
  std::atomic<bool> done = false;
  std::vector<double> busy;
  std::size_t merged = 0;
  std::jthread reader([&] { busy = ask(document, done, 0); });
  std::jthread merging([&] {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 5);  // of this thread alone
    for (; !done; std::this_thread::sleep_for(std::chrono::milliseconds(20))) merged += document.merge();
  });
  std::vector<double> commits;
  const auto began = Clock::now();
  std::size_t added = 0;
  for (; added < count && ms_since(began) < seconds * 1000; added += batch) {
    const auto documents = passages(first + added, std::min(batch, count - added));
    const auto asked = Clock::now();
    document.add(documents, {.merge = false});
    commits.push_back(ms_since(asked));
  }
  added = std::min(added, count);
  const double rate = static_cast<double>(added) / ms_since(began) * 1000;
  done = true;
  merging.join();
  reader.join();
  return fmt::format("{{\"per_s\":{:.1f},\"added\":{},\"merged\":{},{},{},{},\"segments\":{}}}", rate, added,
                     merged, idle.json("idle"), Percentiles(busy).json("busy"),
                     Percentiles(commits).json("add"), document.status().segments);
}

std::string remove(const std::string& kb, const std::string& base, std::size_t count) {
  Document document = open_kb(kb, base, base);
  const auto rows = document.status().documents;
  std::mt19937_64 random(std::random_device{}());
  std::vector<double> removals, searches;
  while (removals.size() < count) {
    const std::size_t row = random() % rows;
    const std::string asked = fmt::format("passage {}", row), path = fmt::format("p/{}", row);
    if (document.search(asked, {.mode = Mode::vector, .top_k = 1}).hits.at(0).path != path) continue;
    const std::filesystem::path paths[] = {path};
    const auto began = Clock::now();
    document.remove(paths);
    removals.push_back(ms_since(began));
    const auto found = document.search(asked, {.mode = Mode::vector});
    searches.push_back(ms_since(began));
    for (const Hit& hit : found.hits) {
      if (hit.path == path) throw Error(Code::internal, path + " was found after it was removed");
    }
  }
  return fmt::format("{{{},{}}}", Percentiles(removals).json("remove"),
                     Percentiles(searches).json("not_found"));
}

std::string large(const std::string& kb, const std::string& base, std::size_t nodes) {
  Document document = open_kb(kb, base, base);
  std::string text;
  for (std::size_t i = 0; i < nodes * 34; ++i) text += fmt::format("A sentence of number {}. ", i);
  const TextDocument texts[] = {{"large", text, {}}};
  const auto report = document.add(texts, {.merge = false});
  const std::filesystem::path paths[] = {"large"};
  const auto began = Clock::now();
  document.remove(paths);
  const double removed = ms_since(began);
  document.search("passage 1", {.mode = Mode::vector});
  return fmt::format("{{\"nodes\":{},\"remove_ms\":{:.1f},\"searched_ms\":{:.1f}}}", report.nodes_added,
                     removed, ms_since(began));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 4 && words[0] == "fill") {
      fmt::print("{}\n", fill(words[1], words[2], std::stoul(words[3])));
    } else if (words.size() == 8 && words[0] == "insert") {
      fmt::print("{}\n", insert(words[1], words[2], words[3], std::stoul(words[4]), std::stoul(words[5]),
                                std::stoul(words[6]), std::stod(words[7])));
    } else if (words.size() == 4 && words[0] == "remove") {
      fmt::print("{}\n", remove(words[1], words[2], std::stoul(words[3])));
    } else if (words.size() == 4 && words[0] == "large") {
      fmt::print("{}\n", large(words[1], words[2], std::stoul(words[3])));
    } else {
      fmt::print(stderr, "usage: hasten_change fill|insert|remove|large ...; see the source's head\n");
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print("{{\"error\":\"{}\"}}\n", error.what());
    return 1;
  }
}
