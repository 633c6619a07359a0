// Embeds the lines of a text file: `embed_texts LINES OUT.fbin query|passage [MODEL]`.
// The file written is that of big-ann-benchmarks: u32 rows, u32 dim, then float32 row after row.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "hasten/models.hpp"

namespace {

constexpr std::size_t kBatch = 512;

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: embed_texts LINES OUT.fbin query|passage [MODEL]\n");
    return 2;
  }
  using namespace hasten;
  const auto role = argv[3] == std::string_view("query") ? Role::query : Role::passage;
  const auto embedder = ModelStore().embedder(argc > 4 ? argv[4] : "all-MiniLM-L6-v2");
  const auto lines = read_lines(argv[1]);
  const std::string part = argv[2] + std::string(".part");
  std::ofstream out(part, std::ios::binary);
  const std::uint32_t header[] = {static_cast<std::uint32_t>(lines.size()),
                                  static_cast<std::uint32_t>(embedder->dim())};
  out.write(reinterpret_cast<const char*>(header), sizeof header);
  for (std::size_t from = 0; from < lines.size(); from += kBatch) {
    const std::vector<std::string_view> batch(
        lines.begin() + static_cast<std::ptrdiff_t>(from),
        lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), from + kBatch)));
    const Matrix vectors = embedder->embed(batch, role);
    out.write(reinterpret_cast<const char*>(vectors.values.data()),
              static_cast<std::streamsize>(vectors.values.size() * sizeof(float)));
    fmt::print(stderr, "\r{} of {}", from + batch.size(), lines.size());
  }
  out.close();
  if (!out) {
    fmt::print(stderr, "cannot write {}\n", part);
    return 1;
  }
  std::filesystem::rename(part, argv[2]);
  fmt::print(stderr, "\n");
}
