#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "hasten/transform.hpp"
#include "transforms/markdown.hpp"
#include "transforms/packing.hpp"

namespace hasten {
namespace {

using Counter = std::shared_ptr<const TokenCounter>;

std::string sizes(std::string_view name, const SplitOptions& options, std::string_view unit) {
  return fmt::format("{}({},{},{})", name, options.chunk_size, options.chunk_overlap, unit);
}

void add_pieces(const std::vector<Span>& spans, const Metadata& metadata, std::vector<Piece>& pieces) {
  for (const Span span : spans) pieces.push_back({.span = span, .metadata = metadata});
}

/// "sentence" and "recursive": what fits stays whole, from the given level down.
class LevelSplitter final : public Transform {
 public:
  LevelSplitter(std::string_view name, Level level, const SplitOptions& options, Counter tokens)
      : name_(name), level_(level), options_(options), tokens_(std::move(tokens)) {}

  std::vector<Piece> apply(const Node& parent) const override {
    const ChunkPacker packer(parent.text, options_, *tokens_);
    std::vector<Unit> units;
    for (const Span part : parts(parent.text, {0, parent.text.size()}, level_)) {
      packer.cut(part, finer(level_), units);
    }
    std::vector<Piece> pieces;
    add_pieces(packer.pack(units), {}, pieces);
    return pieces;
  }

  std::string signature() const override { return sizes(name_, options_, tokens_->name()); }

 private:
  std::string name_;
  Level level_;
  SplitOptions options_;
  Counter tokens_;
};

/// "markdown": pieces stay within a section; its code and tables stay whole where they fit.
class MarkdownSplitter final : public Transform {
 public:
  MarkdownSplitter(const SplitOptions& options, Counter tokens)
      : options_(options), tokens_(std::move(tokens)) {}

  std::vector<Piece> apply(const Node& parent) const override {
    const ChunkPacker packer(parent.text, options_, *tokens_);
    std::vector<Piece> pieces;
    for (const MarkdownSection& section : markdown_sections(parent.text)) {
      std::vector<Unit> units;
      for (const Block& block : section.blocks) cut(packer, parent.text, block, units);
      Metadata metadata;
      if (!section.heading.empty()) metadata.emplace("heading", section.heading);
      add_pieces(packer.pack(units), metadata, pieces);
    }
    return pieces;
  }

  std::string signature() const override { return sizes("markdown", options_, tokens_->name()); }

 private:
  static void cut(const ChunkPacker& packer, std::string_view text, const Block& block,
                  std::vector<Unit>& units) {
    if (block.kind != Block::Kind::text) return packer.cut(block.span, Level::line, units);
    for (const Span sentence : parts(text, block.span, Level::sentence)) {
      packer.cut(sentence, Level::clause, units);
    }
  }

  SplitOptions options_;
  Counter tokens_;
};

/// "character": windows of at most chunk_size characters, that end between words where they can.
class CharacterSplitter final : public Transform {
 public:
  explicit CharacterSplitter(const SplitOptions& options) : options_(options) {}

  std::vector<Piece> apply(const Node& parent) const override {
    const std::string_view text = parent.text;
    std::vector<Piece> pieces;
    Span window{0, advanced(text, 0, options_.chunk_size)};
    while (true) {
      if (window.to < text.size()) window.to = between_words(text, window);
      add_trimmed(text, window, pieces);
      if (window.to == text.size()) return pieces;
      window.from = receded(text, window.to, options_.chunk_overlap);
      window.to = advanced(text, window.from, options_.chunk_size);
    }
  }

  std::string signature() const override { return sizes("character", options_, "characters"); }

 private:
  static std::size_t advanced(std::string_view text, std::size_t at, std::size_t characters) {
    for (; characters > 0 && at < text.size(); --characters) at += utf8::decode(text, at).size;
    return at;
  }

  static std::size_t receded(std::string_view text, std::size_t at, std::size_t characters) {
    for (; characters > 0 && at > 0; --characters) at -= utf8::decode_before(text, at).size;
    return at;
  }

  /// The end of the window, or the last white space before it that leaves more than the overlap
  /// and half of the window: each window begins and ends after the one before.
  std::size_t between_words(std::string_view text, Span window) const {
    if (utf8::is_space(utf8::decode(text, window.to).code_point)) return window.to;
    const std::size_t least =
        advanced(text, window.from, std::max(options_.chunk_overlap + 1, options_.chunk_size / 2));
    for (std::size_t at = window.to; at > least;) {
      const auto [c, size] = utf8::decode_before(text, at);
      if (utf8::is_space(c)) return at;
      at -= size;
    }
    return window.to;
  }

  static void add_trimmed(std::string_view text, Span window, std::vector<Piece>& pieces) {
    const std::string_view inner = utf8::trim(text.substr(window.from, window.size()));
    if (inner.empty()) return;
    const auto from = static_cast<std::uint64_t>(inner.data() - text.data());
    const Span span{from, from + inner.size()};
    // White space at the windows' ends can leave nothing new in one, or nothing of its own.
    if (!pieces.empty() && span.to <= pieces.back().span.to) return;
    if (!pieces.empty() && span.from == pieces.back().span.from) pieces.pop_back();
    pieces.push_back({.span = span});
  }

  SplitOptions options_;
};

class FunctionTransform final : public Transform {
 public:
  FunctionTransform(std::string signature, std::function<std::vector<Piece>(const Node&)> function)
      : signature_(std::move(signature)), function_(std::move(function)) {}
  std::vector<Piece> apply(const Node& parent) const override { return function_(parent); }
  std::string signature() const override { return signature_; }

 private:
  std::string signature_;
  std::function<std::vector<Piece>(const Node&)> function_;
};

/// One row of the list of splitters.
struct Splitter {
  std::string_view name;
  bool counts_tokens;
  std::unique_ptr<Transform> (*make)(const SplitOptions&, Counter);
};

constexpr std::array<Splitter, 4> kSplitters = {{
    {"sentence", true,
     [](const SplitOptions& options, Counter tokens) -> std::unique_ptr<Transform> {
       return std::make_unique<LevelSplitter>("sentence", Level::sentence, options, std::move(tokens));
     }},
    {"recursive", true,
     [](const SplitOptions& options, Counter tokens) -> std::unique_ptr<Transform> {
       return std::make_unique<LevelSplitter>("recursive", Level::paragraph, options, std::move(tokens));
     }},
    {"character", false,
     [](const SplitOptions& options, Counter) -> std::unique_ptr<Transform> {
       return std::make_unique<CharacterSplitter>(options);
     }},
    {"markdown", true,
     [](const SplitOptions& options, Counter tokens) -> std::unique_ptr<Transform> {
       return std::make_unique<MarkdownSplitter>(options, std::move(tokens));
     }},
}};

[[noreturn]] void fail_unknown(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Splitter& splitter : kSplitters) known.push_back(splitter.name);
  throw Error(Code::not_found, fmt::format("no splitter '{}'; known: {}", name, fmt::join(known, ", ")));
}

void check(std::string_view name, const SplitOptions& options) {
  if (options.chunk_size == 0) {
    throw Error(Code::invalid, fmt::format("splitter {}: chunk_size is 0; at least 1", name));
  }
  if (options.chunk_overlap >= options.chunk_size) {
    throw Error(Code::invalid,
                fmt::format("splitter {}: chunk_overlap {} leaves nothing new in a piece; below "
                            "chunk_size {}",
                            name, options.chunk_overlap, options.chunk_size));
  }
}

}  // namespace

std::unique_ptr<Transform> make_splitter(std::string_view name, const SplitOptions& options,
                                         std::shared_ptr<const TokenCounter> tokens) {
  const auto* splitter = std::find_if(kSplitters.begin(), kSplitters.end(),
                                      [&](const Splitter& row) { return row.name == name; });
  if (splitter == kSplitters.end()) fail_unknown(name);
  check(name, options);
  if (splitter->counts_tokens && tokens == nullptr) {
    throw Error(Code::invalid, fmt::format("splitter {}: needs a token counter", name));
  }
  return splitter->make(options, std::move(tokens));
}

std::unique_ptr<Transform> make_transform(std::string signature,
                                          std::function<std::vector<Piece>(const Node&)> function) {
  return std::make_unique<FunctionTransform>(std::move(signature), std::move(function));
}

}  // namespace hasten
