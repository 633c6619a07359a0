#include "models/unigram.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, how pieces write a space
// As in SentencePiece: a character that no piece covers costs this much more than the worst piece.
constexpr float kUnknownPenalty = 10;

/// Places the children of one node after another, each family at the first base where it fits.
class TrieBuilder {
 public:
  TrieBuilder(std::span<const std::string_view> keys, std::span<const std::int32_t> ids)
      : keys_(keys), ids_(ids) {
    grow(512);
    cells_[0].parent = 0;
  }

  std::vector<TrieCell> build() {
    if (!keys_.empty()) place(0, 0, keys_.size(), 0);
    while (!cells_.empty() && cells_.back().parent < 0) cells_.pop_back();
    return std::move(cells_);
  }

 private:
  struct Child {
    unsigned label;
    std::size_t first, last;  // of the keys under it
  };

  void place(std::size_t node, std::size_t first, std::size_t last, std::size_t depth) {
    const std::vector<Child> children = children_of(first, last, depth);
    const std::size_t base = find_base(children);
    cells_[node].base = static_cast<std::int32_t>(base);
    for (const Child& child : children) {
      cells_[base + child.label].parent = static_cast<std::int32_t>(node);
    }
    for (const Child& child : children) {
      if (child.label == 0) {
        cells_[base].base = -(ids_[child.first] + 1);
      } else {
        place(base + child.label, child.first, child.last, depth + 1);
      }
    }
  }

  std::vector<Child> children_of(std::size_t first, std::size_t last, std::size_t depth) const {
    std::vector<Child> children;
    for (std::size_t i = first; i < last; ++i) {
      const auto label = keys_[i].size() == depth ? 0U : static_cast<unsigned char>(keys_[i][depth]);
      if (children.empty() || children.back().label != label) children.push_back({label, i, i});
      children.back().last = i + 1;
    }
    return children;
  }

  std::size_t find_base(const std::vector<Child>& children) {
    const unsigned least = children.front().label;
    std::size_t filled = 0, looked = 0;
    for (std::size_t at = std::max<std::size_t>(hint_, least + 1);; ++at) {
      const std::size_t base = at - least;
      grow(base + 256);
      ++looked;
      filled += taken(at) ? 1 : 0;
      const auto fits = [&](const Child& child) { return !taken(base + child.label); };
      if (!std::all_of(children.begin(), children.end(), fits)) continue;
      // Where nearly all is taken, the next search need not begin again.
      if (filled * 20 >= looked * 19) hint_ = at;
      return base;
    }
  }

  bool taken(std::size_t cell) const { return cells_[cell].parent >= 0; }
  void grow(std::size_t size) {
    if (size > cells_.size()) cells_.resize(std::max(size, cells_.size() * 2));
  }

  std::span<const std::string_view> keys_;
  std::span<const std::int32_t> ids_;
  std::vector<TrieCell> cells_;
  std::size_t hint_ = 1;
};

struct PackedHeader {
  std::uint32_t cells, scores, replaced, replacements;
  std::int32_t unknown, begin, end;
  std::uint32_t reserved;
};
static_assert(sizeof(PackedHeader) == 32 && sizeof(TrieCell) == 8);

void check(bool fits, const char* what) {
  if (!fits) throw Error(Code::corrupt, std::string("a unigram vocabulary ") + what);
}

/// Takes arrays off the front of a packed vocabulary.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  std::span<const T> take(std::size_t n) {
    check(n <= bytes_.size() / sizeof(T), "is cut short");
    const std::span<const T> values(reinterpret_cast<const T*>(bytes_.data()), n);
    bytes_ = bytes_.subspan(n * sizeof(T));
    return values;
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace

std::vector<TrieCell> build_trie(std::span<const std::string_view> keys, std::span<const std::int32_t> ids) {
  return TrieBuilder(keys, ids).build();
}

std::string pack(const UnigramVocabulary& v) {
  const auto n = [](const auto& array) { return static_cast<std::uint32_t>(array.size()); };
  const PackedHeader header{n(v.trie), n(v.scores), n(v.from), n(v.to), v.unknown, v.begin, v.end, 0};
  std::string out;
  const auto put = [&](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  put(std::array{header});
  put(v.trie);
  put(v.scores);
  put(v.from);
  put(v.begins);
  put(v.to);
  return out;
}

UnigramTokenizer::UnigramTokenizer(std::span<const std::byte> packed) {
  Unpacker in(packed);
  const PackedHeader header = in.take<PackedHeader>(1)[0];
  trie_ = in.take<TrieCell>(header.cells);
  scores_ = in.take<float>(header.scores);
  const auto from = in.take<std::uint32_t>(header.replaced);
  begins_ = in.take<std::uint32_t>(std::size_t{header.replaced} + 1);
  to_ = in.take<std::uint32_t>(header.replacements);
  unknown_ = header.unknown;
  begin_ = header.begin;
  end_ = header.end;
  check(!trie_.empty() && !scores_.empty(), "has no pieces");
  check(std::is_sorted(begins_.begin(), begins_.end()) && begins_.back() == to_.size() &&
            from.size() < std::numeric_limits<std::uint16_t>::max() &&
            std::all_of(from.begin(), from.end(), [](auto c) { return c <= 0x10FFFF; }),
        "has replacements that do not add up");
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  const std::uint32_t last = from.empty() ? 0 : *std::max_element(from.begin(), from.end());
  replaced_.resize(last + 1);
  for (std::size_t i = 0; i < from.size(); ++i) {
    replaced_[from[i]] = static_cast<std::uint16_t>(i + 1);
  }
}

// Replaces code points, merges spaces and writes them as kSpaceMark, one of them before the text.
std::string UnigramTokenizer::normalise(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 2 + kSpaceMark.size());
  bool after_space = false;
  const auto put = [&](char32_t c) {
    if (c != U' ' && out.empty()) out += kSpaceMark;
    if (c != U' ') {
      utf8::append(out, c);
    } else if (!after_space) {
      out += kSpaceMark;
    }
    after_space = c == U' ';
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    at += size;
    const std::size_t slot = c < replaced_.size() ? replaced_[c] : 0;
    if (slot == 0) {
      put(c);
      continue;
    }
    for (std::size_t i = begins_[slot - 1]; i < begins_[slot]; ++i) put(to_[i]);
  }
  if (out.empty()) out += kSpaceMark;
  return out;
}

std::int32_t UnigramTokenizer::child(std::int32_t cell, unsigned label) const noexcept {
  const auto at = static_cast<std::uint64_t>(static_cast<std::int64_t>(trie_[cell].base) + label);
  if (at >= trie_.size() || trie_[at].parent != cell || at == 0) return -1;
  return static_cast<std::int32_t>(at);
}

std::vector<std::int32_t> UnigramTokenizer::encode(std::string_view text) const {
  if (text.empty()) return {};
  struct Best {
    float score = -1e30F;
    std::uint32_t from = 0;
    std::int32_t id = -1;
  };
  const std::string chars = normalise(text);
  std::vector<Best> best(chars.size() + 1);  // of the ways to write chars[0, i)
  best[0].score = 0;
  const auto offer = [&](std::size_t from, std::size_t to, float score, std::int32_t id) {
    const float sum = best[from].score + score;
    if (sum > best[to].score) best[to] = {sum, static_cast<std::uint32_t>(from), id};
  };
  for (std::size_t from = 0; from < chars.size();) {
    std::int32_t cell = 0;
    for (std::size_t to = from; to < chars.size();) {
      cell = child(cell, static_cast<unsigned char>(chars[to++]));
      if (cell < 0) break;
      const std::int32_t leaf = child(cell, 0);
      if (leaf < 0) continue;
      const auto id = -(trie_[leaf].base + 1);
      if (id >= 0 && id < std::ssize(scores_) && id != unknown_) offer(from, to, scores_[id], id);
    }
    const std::size_t next = from + utf8::decode(chars, from).size;
    offer(from, next, unknown_score_, unknown_);
    from = next;
  }
  std::vector<std::int32_t> ids;
  for (std::size_t at = chars.size(); at > 0; at = best[at].from) ids.push_back(best[at].id);
  std::reverse(ids.begin(), ids.end());
  return ids;
}

}  // namespace hasten
