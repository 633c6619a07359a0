// What docs/indexes.md shows of codes is computed here: bytes a vector, product quantisation and 1-bit codes
// by hand, and how far estimates are off.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "indexes/graph_layout.hpp"
#include "indexes/rotation.hpp"
#include "indexes/vectors.hpp"
#include "tests/indexes/clustered.hpp"
#include "tests/indexes/index_page.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::clustered;
using testing::MemorySegment;

using Vector = std::vector<float>;

constexpr std::size_t kDim = 384;
const std::vector<Vector> kFour = {
    {3.2f, 4.5f, 1.8f, 2.7f}, {2.9f, 4.3f, 1.5f, 2.9f}, {3.1f, 4.6f, 1.9f, 2.5f}, {3.0f, 4.4f, 1.7f, 2.8f}};
const Vector kQuestion = {3.1f, 4.4f, 1.7f, 2.9f};

std::string written(std::span<const float> values, int digits = 2) {
  std::vector<std::string> words;
  for (const float value : values) words.push_back(fmt::format("{:.{}f}", value + 0.0f, digits));
  return fmt::format("[{}]", fmt::join(words, ", "));
}

MemorySegment build(const std::vector<Vector>& vectors, VectorForm form, const IndexParameters& index = {}) {
  VectorBuilder builder(vectors.front().size(), form);
  for (std::size_t i = 0; i < vectors.size(); ++i)
    builder.add({i, static_cast<std::uint32_t>(i), i}, vectors[i]);
  MemorySegment segment;
  builder.write(segment, index, 2);
  return segment;
}

std::string with_commas(std::size_t n) {
  return n < 1000 ? fmt::format("{}", n) : fmt::format("{},{:03}", with_commas(n / 1000), n % 1000);
}

std::string size_row(std::string_view what, std::size_t bytes, std::size_t full, std::string_view made_of) {
  return fmt::format("| {} | {} | {:.3g} | {} |\n", what, with_commas(bytes),
                     static_cast<double>(bytes) / static_cast<double>(full), made_of);
}

TEST(PageOfIndexes, BytesOfAVector) {
  constexpr std::size_t n = 64;  // whole blocks
  const auto vectors = clustered(n, kDim, 1, 2);
  const auto bytes = [](const MemorySegment& segment, std::initializer_list<const char*> sections) {
    std::size_t sum = 0;
    for (const char* section : sections) sum += segment.size(section);
    return sum / n;
  };
  const std::size_t full = kDim * sizeof(float);
  const ProductShape shape = ProductShape::of(kDim);
  const std::size_t record = graph_layout::record_bytes(GraphParameters{}.degree, shape.block_bytes());
  const auto int8 = build(vectors, {}, {.graph = GraphParameters{}, .bits = OneBitParameters{}});
  const auto bf16 = build(vectors, {Metric::inner_product, Codes::bf16});
  EXPECT_EQ(bytes(int8, {"links"}), record);

  std::string table = "| 384 dimensions, a vector | bytes | of float32 | |\n|---|---:|---:|---|\n";
  table += size_row("float32, in the vector file", full, full, "384 x 4");
  table += size_row("`bf16` code", bytes(bf16, {"codes"}), full, "384 x 2");
  table += size_row("`int8` code", bytes(int8, {"codes", "scales"}), full, "384, and a scale of 4");
  table +=
      size_row("4-bit product code", shape.block_bytes() / kFastScanRows, full,
               fmt::format("{} subspaces of {} dimensions, half a byte each", shape.subspaces, shape.width));
  table += size_row("1-bit code", bytes(int8, {"bits_codes", "bits_factors"}), full,
                    "384 bits, and a factor of 4");
  table += size_row("record of a graph", record, full,
                    fmt::format("{} neighbours: {} of their numbers, {} of their product codes",
                                GraphParameters{}.degree, GraphParameters{}.degree * sizeof(std::uint32_t),
                                GraphParameters{}.degree * shape.block_bytes() / kFastScanRows));
  table += size_row("numbers: node, document, row", bytes(int8, {"nodes", "documents", "vectors"}), full,
                    "8 + 4 + 8");
  testing::expect_on_page("sizes", table);

  const ProductShape of_128 = ProductShape::of(128);
  testing::expect_printed_on_page(
      "sizes-128",
      fmt::format(
          "128 dimensions as float32                          {:4} bytes\n"
          "4 subspaces of 32 dimensions, 256 centres (1 byte)  {:3} bytes, 1/{} of it\n"
          "{} subspaces of {} dimensions, 16 centres (4 bits)   {:3} bytes, 1/{} of it: what we store\n",
          128 * sizeof(float), 4, 128 * sizeof(float) / 4, of_128.subspaces, of_128.width,
          of_128.block_bytes() / kFastScanRows,
          128 * sizeof(float) / (of_128.block_bytes() / kFastScanRows)));
}

// k-means as it stands in the books: two centres, the first two points to begin with, until nothing changes.
struct Clusters {
  std::vector<Vector> centres;
  std::vector<std::size_t> of;  // the centre of each point
};

float square_of_distance(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

Clusters two_means(const std::vector<Vector>& points) {
  Clusters clusters{{points[0], points[1]}, {}};
  for (;;) {
    std::vector<std::size_t> of;
    for (const Vector& point : points) {
      of.push_back(square_of_distance(point, clusters.centres[1]) <
                   square_of_distance(point, clusters.centres[0]));
    }
    if (of == clusters.of) return clusters;
    clusters.of = of;
    for (std::size_t c = 0; c < 2; ++c) {
      Vector mean(points[0].size());
      const auto members = static_cast<float>(std::ranges::count(of, c));
      for (std::size_t i = 0; i < points.size(); ++i) {
        for (std::size_t d = 0; of[i] == c && d < mean.size(); ++d) mean[d] += points[i][d] / members;
      }
      clusters.centres[c] = mean;
    }
  }
}

float product(std::span<const float> a, std::span<const float> b) { return static_cast<float>(dot(a, b)); }

TEST(PageOfIndexes, ProductQuantisationByHand) {
  constexpr std::size_t width = 2, halves = 2;
  std::string text;
  std::vector<Clusters> codebook;
  for (std::size_t h = 0; h < halves; ++h) {
    std::vector<Vector> parts;
    for (const Vector& x : kFour) parts.emplace_back(x.begin() + h * width, x.begin() + (h + 1) * width);
    codebook.push_back(two_means(parts));
    text += fmt::format("{} half: ", h == 0 ? "first " : "second");
    for (std::size_t c = 0; c < 2; ++c) {
      std::vector<std::string> members;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (codebook[h].of[i] == c) members.push_back(fmt::format("X{}", i + 1));
      }
      text += fmt::format("{}centre {} = {} of {}", c == 0 ? "" : ";  ", c, written(codebook[h].centres[c]),
                          fmt::join(members, ", "));
    }
    text += "\n";
  }

  text += "\n    vector                     code  reconstructed              squared error\n";
  const auto reconstructed = [&](std::size_t i) {
    Vector vector;
    for (const Clusters& half : codebook) {
      vector.insert(vector.end(), half.centres[half.of[i]].begin(), half.centres[half.of[i]].end());
    }
    return vector;
  };
  for (std::size_t i = 0; i < kFour.size(); ++i) {
    text += fmt::format("X{}  {:25}  {} {}   {:25}  {:.4f}\n", i + 1, written(kFour[i]), codebook[0].of[i],
                        codebook[1].of[i], written(reconstructed(i)),
                        square_of_distance(kFour[i], reconstructed(i)));
  }

  text += fmt::format("\nquestion q = {}\n", written(kQuestion));
  float table[halves][2];
  for (std::size_t h = 0; h < halves; ++h) {
    for (std::size_t c = 0; c < 2; ++c) {
      table[h][c] = product(std::span(kQuestion).subspan(h * width, width), codebook[h].centres[c]);
    }
    text += fmt::format("table, {} half: code 0 adds {:.3f}, code 1 adds {:.3f}\n",
                        h == 0 ? "first " : "second", table[h][0], table[h][1]);
  }
  text += "\n    estimated                   exact\n";
  for (std::size_t i = 0; i < kFour.size(); ++i) {
    const float first = table[0][codebook[0].of[i]], second = table[1][codebook[1].of[i]];
    EXPECT_NEAR(first + second, product(kQuestion, reconstructed(i)), 1e-4);
    text += fmt::format("X{}  {:.3f} + {:.3f} = {:.3f}    {:.3f}\n", i + 1, first, second, first + second,
                        product(kQuestion, kFour[i]));
  }
  testing::expect_printed_on_page("product-codes", text);
}

// int8 codes of vectors, as indexes are built from them.
struct Coded {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  std::size_t dim;

  explicit Coded(const std::vector<Vector>& vectors) : dim(vectors.front().size()) {
    for (const Vector& vector : vectors) {
      codes.resize(codes.size() + dim);
      scales.push_back(quantise(vector, std::span(codes).last(dim)));
    }
  }
  CodedVectors view() const { return {dim, codes, scales}; }
};

TEST(PageOfIndexes, ProductCodesOfManyVectors) {
  const auto vectors = clustered(2000, kDim, 1, 2);
  const Coded coded(vectors);
  const ProductShape shape = ProductShape::of(kDim);
  const auto codebook = train_codebook(coded.view(), shape, 2);
  std::vector<std::uint8_t> codes(shape.subspaces);
  encode(coded.view(), 0, shape, codebook, codes);
  const auto part = [&](const std::vector<float>& values, std::size_t s) {
    return std::span(values).subspan(s * shape.width, shape.width);
  };
  const auto centre = [&](std::size_t s, std::size_t c) {
    Vector values;
    for (std::size_t d = 0; d < shape.width; ++d) {
      values.push_back(codebook[(s * shape.width + d) * ProductShape::kCodes + c]);
    }
    return values;
  };
  std::string text = fmt::format(
      "codebook: {} subspaces x {} dimensions x {} centres x 4 bytes = {} bytes\n\n", shape.subspaces,
      shape.width, ProductShape::kCodes, with_commas(codebook.size() * sizeof(float)));
  text += "subspace  of vector 0                         code  its centre\n";
  for (std::size_t s = 0; s < 4; ++s) {
    text += fmt::format("{:8}  {:34}  {:4}  {}\n", s, written(part(vectors[0], s), 3), codes[s],
                        written(centre(s, codes[s]), 3));
  }
  float error = 0;
  for (std::size_t s = 0; s < shape.subspaces; ++s) {
    for (std::size_t c = 0; c < ProductShape::kCodes; ++c) {  // no other centre is nearer
      EXPECT_LE(square_of_distance(part(vectors[0], s), centre(s, codes[s])),
                square_of_distance(part(vectors[0], s), centre(s, c)) + 1e-4f);
    }
    error += square_of_distance(part(vectors[0], s), centre(s, codes[s]));
  }
  text += fmt::format("...\nsquared error, of all {} subspaces: {:.3f} of a vector of length 1\n",
                      shape.subspaces, error);
  testing::expect_printed_on_page("product-codes-384", text);
}

TEST(PageOfIndexes, OneBitCodesByHand) {
  constexpr std::size_t dim = 4;
  const std::vector<Vector> vectors = {{0.62f, 0.31f, -0.57f, 0.35f},
                                       {0.12f, 0.94f, 0.08f, -0.31f},
                                       {-0.55f, 0.17f, 0.76f, 0.22f},
                                       {0.35f, -0.62f, 0.24f, 0.66f}};
  const Vector question = {0.71f, 0.33f, -0.52f, 0.28f};
  Vector mean(dim);
  for (const Vector& x : vectors) {
    for (std::size_t d = 0; d < dim; ++d) mean[d] += x[d] / static_cast<float>(vectors.size());
  }
  const Rotation rotation(dim);
  Vector turned = question;
  rotation.apply(turned.data());
  const float base = product(question, mean);
  std::string text = fmt::format("mean       {}\nquestion   {}, rotated {}\nquestion x mean = {:.3f}\n\n",
                                 written(mean), written(question), written(turned), base);
  text +=
      "    vector                        less the mean, rotated        signs     factor  estimated   exact\n";

  const auto memory = build(vectors, {}, {.bits = OneBitParameters{}});
  const VectorSegment segment(memory);
  const auto scanned = segment.bits()->scan(question, vectors.size(), {}, segment.squares());
  ASSERT_EQ(scanned.size(), vectors.size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    Vector rest(dim);
    for (std::size_t d = 0; d < dim; ++d) rest[d] = vectors[i][d] - mean[d];
    rotation.apply(rest.data());
    std::string signs;
    float square = 0, magnitude = 0, with_signs = 0;
    for (std::size_t d = 0; d < dim; ++d) {
      EXPECT_GT(std::abs(rest[d]), 0.005f) << "a sign that int8 codes might turn";
      signs += rest[d] > 0 ? " +" : " -";
      square += rest[d] * rest[d];
      magnitude += std::abs(rest[d]);
      with_signs += rest[d] > 0 ? turned[d] : -turned[d];
    }
    const float factor = square / magnitude, estimate = base + factor * with_signs;
    for (const Walked& found : scanned) {  // the program's, from int8 codes and tables of 8 bits
      if (found.position != i) continue;
      EXPECT_NEAR(found.estimate, estimate, 0.02) << i;
    }
    text += fmt::format("Y{}  {:28}  {:28} {}  {:6.3f}  {:9.3f}  {:6.3f}\n", i + 1, written(vectors[i]),
                        written(rest), signs, factor, estimate, product(question, vectors[i]));
  }
  testing::expect_printed_on_page("one-bit-codes", text);
}

TEST(PageOfIndexes, HowFarEstimatesAreOff) {
  const auto vectors = clustered(2000, kDim, 1, 2), questions = clustered(20, kDim, 1, 3);
  const auto int8 = build(vectors, {}, {.lists = IvfParameters{.lists = 1}, .bits = OneBitParameters{}});
  const auto bf16 = build(vectors, {Metric::inner_product, Codes::bf16});
  const VectorSegment of_int8(int8), of_bf16(bf16);
  double squares[4] = {};
  const auto add = [&](std::size_t code, std::size_t i, const Vector& question, float estimate) {
    const double off = static_cast<double>(estimate) - dot(question, vectors[i]);
    squares[code] += off * off;
  };
  for (const Vector& question : questions) {
    const FullVectors full = [&](std::uint64_t row) { return std::span<const float>(vectors[row]); };
    const CodedQuery coded(question, Metric::inner_product, full);
    std::vector<float> scores(vectors.size());
    coded.score_rows(of_bf16, 0, scores.size(), scores.data());
    for (std::size_t i = 0; i < scores.size(); ++i) add(0, i, question, scores[i]);
    coded.score_rows(of_int8, 0, scores.size(), scores.data());
    for (std::size_t i = 0; i < scores.size(); ++i) add(1, i, question, scores[i]);
    const auto product_codes = of_int8.ivf()->probe(question, vectors.size(), 1, {});
    const auto bits = of_int8.bits()->scan(question, vectors.size(), {}, of_int8.squares());
    ASSERT_EQ(product_codes.size(), vectors.size());
    ASSERT_EQ(bits.size(), vectors.size());
    for (const Walked& found : product_codes) add(2, found.position, question, found.estimate);
    for (const Walked& found : bits) add(3, found.position, question, found.estimate);
  }
  const double n = static_cast<double>(vectors.size() * questions.size());
  const std::string_view names[] = {"bf16", "int8", "4-bit product codes", "1-bit codes"};
  std::string text =
      "root of the mean squared error of an inner product (vectors of length 1, 384 dimensions)\n";
  for (std::size_t code = 0; code < 4; ++code) {
    text += fmt::format("{:20} {:.5f}\n", names[code], std::sqrt(squares[code] / n));
    EXPECT_LT(code > 0 ? squares[code - 1] : 0, squares[code]) << names[code];
  }
  testing::expect_printed_on_page("errors", text);
}

}  // namespace
}  // namespace hasten
