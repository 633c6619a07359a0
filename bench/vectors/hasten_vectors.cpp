// Our vector index as one contender of bench/vectors: takes commands on stdin, a line each, and
// answers each with one line of JSON.
//   build BASE.fbin SEGMENT THREADS flat|graph|lists|ivf|pq|bits|disk, or several: graph+lists, or without
//                                       int8 codes: flat/bf16, flat/f32   builds the segment
//   open BASE.fbin SEGMENT              maps it; later searches ask it
//   search QUERIES.fbin K POOL OUT      (POOL as 100/16 for lists: pool and probes) every question once;
//   int32 ids to OUT, K a question filter FILE                         only vectors whose byte in FILE is not
//   0; "-": all
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "bench/stopwatch.hpp"
#include "indexes/vectors.hpp"
#include "segments/segment_file.hpp"

namespace {

using namespace hasten;
using bench::Stopwatch;

/// A mapped .fbin file: u32 rows, u32 dim, float32 row after row.
class Vectors {
 public:
  explicit Vectors(const std::string& file) {
    descriptor_ = ::open(file.c_str(), O_RDONLY);
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0)
      throw std::runtime_error("cannot open " + file);
    bytes_ = static_cast<std::size_t>(status.st_size);
    data_ = static_cast<const char*>(::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, descriptor_, 0));
    expect_scattered_reads(reinterpret_cast<const std::byte*>(data_), bytes_);  // as the store's own files
    const auto* const header = reinterpret_cast<const std::uint32_t*>(data_);
    rows = header[0];
    dim = header[1];
  }
  ~Vectors() {
    ::munmap(const_cast<char*>(data_), bytes_);
    ::close(descriptor_);
  }
  Vectors(const Vectors&) = delete;
  Vectors& operator=(const Vectors&) = delete;
  std::span<const float> row(std::size_t i) const {
    return {reinterpret_cast<const float*>(data_ + 8) + i * dim, dim};
  }
  void read(std::size_t i, std::span<float> to) const {
    const auto bytes = std::as_writable_bytes(to);
    if (::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(8 + i * bytes.size())) < 0) {
      throw std::runtime_error("cannot read a vector");
    }
  }
  void fetch(std::size_t i) const {
    ::posix_fadvise(descriptor_, static_cast<off_t>(8 + i * dim * 4), static_cast<off_t>(dim * 4),
                    POSIX_FADV_WILLNEED);
  }
  std::size_t rows = 0, dim = 0;

 private:
  int descriptor_ = -1;
  const char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// "graph", "lists", or both: "graph+lists".
IndexParameters parameters_of(const std::string& index) {
  IndexParameters parameters;
  if (index.find("graph") != index.npos) parameters.graph.emplace();
  if (index == "disk") parameters.graph = GraphParameters{.on_disk = true};
  if (index.find("lists") != index.npos) parameters.lists.emplace();
  if (index == "ivf") parameters.lists = IvfParameters{.product_codes = false};
  if (index.find("pq") != index.npos) parameters.lists = IvfParameters{.lists = 1};
  if (index.find("bits") != index.npos) parameters.bits.emplace();
  return parameters;
}

/// "flat/bf16": what is kept of each vector; int8 codes where nothing is said. On disk nothing is.
Codes codes_of(const std::string& index) {
  if (index == "disk" || index.ends_with("/f32")) return Codes::f32;
  return index.ends_with("/bf16") ? Codes::bf16 : Codes::int8;
}

std::string build(const std::string& base, const std::string& file, std::size_t threads,
                  const std::string& index) {
  const Vectors vectors(base);
  const Stopwatch watch;
  VectorBuilder builder(vectors.dim, {Metric::inner_product, codes_of(index)});
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    builder.add({i, static_cast<std::uint32_t>(i), i}, vectors.row(i));
  }
  SegmentFileWriter writer(file, "flat");
  builder.write(writer, parameters_of(index), threads);
  const auto bytes = writer.finish();
  return fmt::format("{{{},\"bytes\":{}}}", watch.json(), bytes);
}

class Contender {
 public:
  std::string open(const std::string& base, const std::string& file) {
    base_.emplace(base);
    const Stopwatch watch;
    file_.emplace(file, "flat");
    segment_.emplace(*file_);
    return fmt::format("{{{}}}", watch.json());
  }

  std::string filter(const std::string& file) {
    allowed_.reset();
    if (file == "-") return "{}";
    std::vector<char> mask(base_->rows);
    std::ifstream(file, std::ios::binary).read(mask.data(), static_cast<std::streamsize>(mask.size()));
    allowed_.emplace(mask.size());
    for (std::uint32_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0) allowed_->add(i);
    }
    return fmt::format("{{\"allowed\":{}}}", allowed_->count());
  }

  std::string search(const std::string& file, std::size_t k, const std::string& setting,
                     const std::string& out) {
    const std::size_t pool = std::stoul(setting), slash = setting.find('/');
    const Vectors queries(file);
    const VectorInput input{&*segment_, {}};
    const FullVectors full = [&](std::uint64_t row) { return base_->row(row); };
    std::vector<std::int32_t> ids(queries.rows * k, -1);
    std::vector<double> micros(queries.rows);
    std::size_t steps = 0, scored = 0;
    const Stopwatch watch;
    for (std::size_t i = 0; i < queries.rows; ++i) {
      const auto began = std::chrono::steady_clock::now();
      VectorQuery query;
      query.vector = queries.row(i);
      query.k = k;
      query.pool = pool;
      if (slash != setting.npos) query.probes = std::stoul(setting.substr(slash + 1));
      query.exact = pool == 0;
      query.allowed = allowed_ ? &*allowed_ : nullptr;
      query.read = [&](std::uint64_t row, std::span<float> to) { base_->read(row, to); };
      query.fetch = [&](std::uint64_t row) { base_->fetch(row); };
      const VectorAnswer answer = search_vectors({&input, 1}, query, full);
      for (std::size_t j = 0; j < answer.best.size(); ++j) {
        ids[i * k + j] = static_cast<std::int32_t>(answer.best[j].node);
      }
      steps += answer.plans[0].steps;
      scored += answer.plans[0].scored;
      micros[i] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count();
      method_ = answer.plans[0].method;
    }
    const std::string times = watch.json();
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(ids.size() * 4));
    std::ranges::sort(micros);
    const auto n = static_cast<double>(queries.rows);
    return fmt::format(
        "{{{},\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"steps\":{:.1f},\"scored\":{:.1f},\"method\":\"{}\"}}",
        times, micros[micros.size() / 2], micros[micros.size() * 99 / 100], static_cast<double>(steps) / n,
        static_cast<double>(scored) / n, method_);
  }

 private:
  std::optional<Vectors> base_;
  std::optional<SegmentFile> file_;
  std::optional<VectorSegment> segment_;
  std::optional<DocumentSet> allowed_;
  std::string_view method_;
};

}  // namespace

int main() {
  Contender contender;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, a, b, c, setting;
    std::size_t n = 0;
    words >> verb;
    try {
      std::string answer = "{}";
      if (verb == "build" && words >> a >> b >> n >> c) {
        answer = build(a, b, n, c);
      } else if (verb == "open" && words >> a >> b) {
        answer = contender.open(a, b);
      } else if (verb == "search" && words >> a >> n >> setting >> c) {
        answer = contender.search(a, n, setting, c);
      } else if (verb == "filter" && words >> a) {
        answer = contender.filter(a);
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
