// Splitters: pieces of any text are in order, within it and within their size, and leave nothing
// out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.hpp"
#include "hasten/transform.hpp"

namespace hasten {
namespace {

class CharacterCounter final : public TokenCounter {
 public:
  std::size_t count(std::string_view text) const override { return utf8::length(text); }
  std::string name() const override { return "characters"; }
};

void require(bool condition) {
  if (!condition) std::abort();
}

void check(std::string_view text, const std::vector<Piece>& pieces, const SplitOptions& options) {
  Span before;
  for (const Piece& piece : pieces) {
    const auto [from, to] = piece.span;
    require(from < to && to <= text.size() && to > before.to);
    const std::string_view inner = text.substr(from, to - from);
    require(utf8::trim(inner) == inner && utf8::length(inner) <= options.chunk_size);
    if (from > before.to) require(utf8::trim(text.substr(before.to, from - before.to)).empty());
    before = piece.span;
  }
  require(utf8::trim(text.substr(before.to)).empty());
}

}  // namespace
}  // namespace hasten

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  if (size < 2) return 0;
  const SplitOptions options{.chunk_size = 1 + data[0] % 64u, .chunk_overlap = data[1] % (1 + data[0] % 64u)};
  Node node;
  node.text.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
  for (const char* name : {"sentence", "recursive", "character", "markdown"}) {
    const auto splitter = make_splitter(name, options, std::make_shared<CharacterCounter>());
    check(node.text, splitter->apply(node), options);
  }
  return 0;
}
