#include "hasten/transform.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

/// One token a word of letters and digits, a Chinese character, a mark; it counts what it counted.
class PlainCounter : public TokenCounter {
 public:
  std::size_t count(std::string_view text) const override {
    bytes += text.size();
    std::size_t tokens = 0;
    bool in_word = false;
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, size] = utf8::decode(text, at);
      const bool letter = (c < 128 && std::isalnum(static_cast<int>(c))) || (c >= 0xC0 && !utf8::is_cjk(c));
      if (!utf8::is_space(c) && !(letter && in_word)) ++tokens;
      in_word = letter;
      at += size;
    }
    return tokens;
  }
  std::string name() const override { return "plain"; }

  mutable std::atomic<std::size_t> bytes = 0;
};

/// Counts that neither add up nor grow with the text, as a hash decides; at least 1 for a text.
class NastyCounter final : public PlainCounter {
 public:
  std::size_t count(std::string_view text) const override {
    const std::size_t plain = PlainCounter::count(text);
    if (text.size() <= 4) return plain == 0 ? 0 : 1;
    return plain + plain * (std::hash<std::string_view>()(text) % 5) / 4;
  }
  std::string name() const override { return "nasty"; }
};

Node node_of(std::string text) {
  Node node;
  node.text = std::move(text);
  return node;
}

std::vector<std::string> texts(const Node& parent, const std::vector<Piece>& pieces) {
  std::vector<std::string> found;
  for (const Piece& piece : pieces) found.push_back(parent.text.substr(piece.span.from, piece.span.size()));
  return found;
}

std::string split(std::string_view splitter, std::size_t size, std::size_t overlap, std::string_view text) {
  const Node parent = node_of(std::string(text));
  const auto transform = make_splitter(splitter, {size, overlap}, std::make_shared<PlainCounter>());
  return fmt::format("{}", fmt::join(texts(parent, transform->apply(parent)), "¦"));
}

struct Case {
  std::string_view splitter;
  std::size_t size, overlap;
  std::string_view text;
  std::string_view pieces;
};

constexpr Case kCases[] = {
    {"sentence", 8, 0, "", ""},
    {"sentence", 8, 0, " \n\n ", ""},
    {"sentence", 8, 0, "One two. Three four. Five six.", "One two. Three four.¦Five six."},
    {"sentence", 6, 3, "One two. Three four. Five six.", "One two. Three four.¦Three four. Five six."},
    {"sentence", 6, 2, "One two. Three four. Five six.", "One two. Three four.¦Five six."},
    // Overlap that leaves no room for what comes next goes.
    {"sentence", 6, 3, "One two. A b c d e. Six.", "One two.¦A b c d e.¦Six."},
    // A long sentence: at clause marks, then spaces, then characters.
    {"sentence", 5, 0, "One two three, four five six", "One two three,¦four five six"},
    {"sentence", 3, 0, "one two three four five", "one two three¦four five"},
    {"sentence", 4, 0, "一二三四五六", "一二三四¦五六"},
    {"sentence", 4, 0, "一二，三四五。六", "一二，¦三四五。¦六"},
    {"sentence", 1, 0, "a b", "a¦b"},
    {"recursive", 4, 0, "a b c\n\nd e\nf g\n\nh", "a b c¦d e\nf g¦h"},
    {"recursive", 3, 0, "a b\nc d e\nf", "a b¦c d e¦f"},
    {"recursive", 6, 0, "a b c\n\nd e\n\nf", "a b c\n\nd e\n\nf"},
    {"character", 5, 0, "abcdefgh", "abcde¦fgh"},
    {"character", 5, 2, "abcdefgh", "abcde¦defgh"},
    {"character", 8, 0, "hello world again", "hello¦world¦again"},
    {"character", 3, 1, "一二三四五", "一二三¦三四五"},
    {"character", 1, 0, "a 中", "a¦中"},
    {"markdown", 9, 0, "# A\n\nOne two.\n\n## B\nThree.", "# A\n\nOne two.¦## B\nThree."},
    {"markdown", 99, 0, "Intro\n# A\n```\n# not\n```\nB\n===\nx\n", "Intro¦# A\n```\n# not\n```¦B\n===\nx"},
};

TEST(Splitters, Table) {
  for (const Case& c : kCases) {
    EXPECT_EQ(split(c.splitter, c.size, c.overlap, c.text), c.pieces) << c.splitter << ": " << c.text;
  }
}

struct HeadingCase {
  std::string_view markdown;
  std::string_view headings;  // of the pieces, between "¦"
};

TEST(MarkdownSplitter, HeadingTrails) {
  constexpr HeadingCase kHeadings[] = {
      {"text", "-"},
      {"# A\nx\n## B\ny\n# C\nz", "A¦A > B¦C"},
      {"## B\nx\n# A\ny\n### D\nz", "B¦A¦A > D"},
      {"# A #\nx\n## B ##\n### C#\ny", "A¦A > B¦A > B > C#"},
      {"   # A\nx", "A"},
      {"    # code\nx", "-"},
      {"#no heading\nx", "-"},
      {"####### seven\nx", "-"},
      {"A\n===\nx\n\nB\n---\ny", "A¦A > B"},
      {"A\nB\n===\nx", "A B"},
      {"para\n\n---\n\nmore", "-"},
      {"- item\n---\nmore", "-"},
      {"---\ntitle: x\n---\n# A\ny", "-¦A"},
      {"```\n# code\n```\n~~~~\n# code\n~~~\n# code\n~~~~\n# A", "-¦A"},
      {"# A\n``` ```\n# B", "A¦B"},
      {"# A\n```\n# never closed", "A"},
      {"# 第一章\n内容\n## 第一节\n内容", "第一章¦第一章 > 第一节"},
      {"#\nx\n# A\ny", "-¦A"},
  };
  const auto splitter = make_splitter("markdown", {1000, 0}, std::make_shared<PlainCounter>());
  for (const HeadingCase& c : kHeadings) {
    std::vector<std::string> headings;
    for (const Piece& piece : splitter->apply(node_of(std::string(c.markdown)))) {
      const auto heading = piece.metadata.find("heading");
      headings.push_back(heading == piece.metadata.end() ? "-" : std::get<std::string>(heading->second));
    }
    EXPECT_EQ(fmt::format("{}", fmt::join(headings, "¦")), c.headings) << c.markdown;
  }
}

TEST(MarkdownSplitter, CodeAndTablesStayWholeWhereTheyFit) {
  const std::string code = "```\nint a. B\n\nint c. D\n```";
  const std::string table = "| a | b |\n|---|---|\n| c. D | e |";
  const std::string text = "Some words before. And more of them.\n\n" + code + "\n\nAfter.\n\n" + table;
  const Node parent = node_of(text);
  const auto splitter = make_splitter("markdown", {26, 0}, std::make_shared<PlainCounter>());
  const auto pieces = texts(parent, splitter->apply(parent));
  const auto holders = [&](const std::string& whole) {
    return std::count_if(pieces.begin(), pieces.end(),
                         [&](const std::string& piece) { return piece.find(whole) != std::string::npos; });
  };
  EXPECT_EQ(holders(code), 1) << fmt::format("{}", fmt::join(pieces, "¦"));
  EXPECT_EQ(holders(table), 1) << fmt::format("{}", fmt::join(pieces, "¦"));
}

TEST(Splitters, WrongUseSaysWhatWouldBeRight) {
  const auto counter = std::make_shared<PlainCounter>();
  const auto expect = [](auto make, Code code, std::string_view message) {
    try {
      make();
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_NE(std::string_view(error.what()).find(message), std::string_view::npos) << error.what();
    }
  };
  expect([&] { make_splitter("words", {}, counter); }, Code::not_found,
         "no splitter 'words'; known: sentence, recursive, character, markdown");
  expect([&] { make_splitter("sentence", {0, 0}, counter); }, Code::invalid, "chunk_size");
  expect([&] { make_splitter("sentence", {10, 10}, counter); }, Code::invalid, "chunk_overlap");
  expect([&] { make_splitter("sentence", {}, nullptr); }, Code::invalid, "token counter");
  EXPECT_EQ(make_splitter("character", {9, 2}, nullptr)->signature(), "character(9,2,characters)");
  EXPECT_EQ(make_splitter("sentence", {}, counter)->signature(), "sentence(256,25,plain)");
}

TEST(MakeTransform, CallsTheFunction) {
  const auto transform = make_transform("mine-1", [](const Node& node) {
    return std::vector<Piece>{{.span = {0, node.text.size()}, .text = "summary", .derived = true}};
  });
  EXPECT_EQ(transform->signature(), "mine-1");
  const auto pieces = transform->apply(node_of("abc"));
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].text, "summary");
}

// Properties of every splitter over every kind of text.

struct Settings {
  std::string_view splitter;
  SplitOptions options;
  bool nasty;
};

constexpr Settings kSettings[] = {
    {"sentence", {20, 5}, false}, {"sentence", {7, 6}, false},   {"sentence", {1, 0}, false},
    {"sentence", {20, 5}, true},  {"sentence", {3, 2}, true},    {"recursive", {20, 5}, false},
    {"recursive", {9, 8}, true},  {"character", {20, 5}, false}, {"character", {7, 6}, false},
    {"character", {1, 0}, false}, {"markdown", {20, 5}, false},  {"markdown", {12, 11}, true},
};

std::string random_text(std::mt19937& random, std::size_t parts) {
  const std::string_view bits[] = {"word ",
                                   "Two words. ",
                                   "a",
                                   "Dr. ",
                                   "3.14 ",
                                   "The end.\n",
                                   "\n\n",
                                   "\n",
                                   "。",
                                   "中文",
                                   "，",
                                   "向量数据库 ",
                                   "！",
                                   "“引”",
                                   "é",
                                   "😀",
                                   " ",
                                   "\t",
                                   "　",
                                   "# Head\n",
                                   "\n## Sub\n",
                                   "```\n",
                                   "| a | b |\n",
                                   "- item\n",
                                   "loooooooooooooooooooooooooooooooooooooooooooong",
                                   "一二三四五六七八九十一二三四五六七八九十",
                                   ", ",
                                   "\xFF"};
  std::string text;
  for (std::size_t i = 0; i < parts; ++i) text += bits[random() % std::size(bits)];
  return random() % 8 == 0 ? text : utf8::sanitise(text);
}

std::size_t characters(std::string_view text) { return utf8::length(text); }

void expect_sound(const Settings& settings, const Node& parent, const std::vector<Piece>& pieces,
                  const TokenCounter& counter) {
  const std::string_view text = parent.text;
  std::vector<bool> covered(text.size());
  Span before{0, 0};
  for (const Piece& piece : pieces) {
    const Span span = piece.span;
    ASSERT_LT(span.from, span.to);
    ASSERT_LE(span.to, text.size());
    ASSERT_EQ(utf8::floor_border(text, span.from), span.from);
    ASSERT_EQ(utf8::floor_border(text, span.to), span.to);
    const std::string_view inner = text.substr(span.from, span.size());
    ASSERT_EQ(utf8::trim(inner), inner) << "not trimmed";
    ASSERT_TRUE(before == Span{} || span.from > before.from) << "out of order";
    ASSERT_GT(span.to, before.to) << "nothing new";
    const bool by_characters = settings.splitter == "character";
    const auto size_of = [&](std::string_view part) {
      return by_characters ? characters(part) : counter.count(part);
    };
    if (characters(inner) > 1) {
      ASSERT_LE(size_of(inner), settings.options.chunk_size) << inner;
    }
    if (span.from < before.to) {
      ASSERT_LE(size_of(text.substr(span.from, before.to - span.from)), settings.options.chunk_overlap);
    }
    std::fill(covered.begin() + static_cast<std::ptrdiff_t>(span.from),
              covered.begin() + static_cast<std::ptrdiff_t>(span.to), true);
    before = span;
  }
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    ASSERT_TRUE(covered[at] || utf8::is_space(c)) << "left out at " << at;
    at += size;
  }
}

TEST(Splitters, PiecesAreSound) {
  const PlainCounter plain;
  const NastyCounter nasty;
  for (const Settings& settings : kSettings) {
    const TokenCounter& counter = settings.nasty ? static_cast<const TokenCounter&>(nasty) : plain;
    // Not owned: both outlive the splitter.
    const std::shared_ptr<const TokenCounter> shared(std::shared_ptr<void>(), &counter);
    const auto splitter = make_splitter(settings.splitter, settings.options, shared);
    std::mt19937 random(11);
    for (int i = 0; i < 300; ++i) {
      const Node parent = node_of(random_text(random, random() % 60));
      const auto pieces = splitter->apply(parent);
      expect_sound(settings, parent, pieces, counter);
      if (HasFatalFailure()) {
        FAIL() << splitter->signature() << " of " << testing::PrintToString(parent.text);
      }
      ASSERT_EQ(texts(parent, pieces), texts(parent, splitter->apply(parent)));
    }
  }
}

TEST(MarkdownSplitter, PiecesNeverCrossAHeading) {
  std::mt19937 random(13);
  const auto splitter = make_splitter("markdown", {15, 6}, std::make_shared<PlainCounter>());
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int section = 0; section < 6; ++section) {
      text += fmt::format("\n# Heading{}\n\n", section);
      for (unsigned n = random() % 12; n > 0; --n) text += "Some words here. ";
    }
    for (const std::string& piece : texts(node_of(text), splitter->apply(node_of(text)))) {
      ASSERT_EQ(piece.find("# Heading", 1), std::string::npos) << piece;
    }
  }
}

// Long lines, long words: the work grows with the text, not with its square.
TEST(Splitters, CountEveryByteAFewTimes) {
  std::string spaced, sentences;
  while (spaced.size() < 2u << 20) spaced += "word and ";
  while (sentences.size() < 2u << 20) sentences += "A short one. Another, longer one of more words. ";
  const std::string lines(1 << 20, '\n');
  const std::string chinese = [] {
    std::string text;
    while (text.size() < 1u << 20) text += "中";
    return text;
  }();
  for (std::string_view name : {"sentence", "recursive", "markdown"}) {
    for (const std::string& text :
         {spaced, sentences, lines, chinese, std::string(1 << 20, 'a'), std::string(1 << 20, '.')}) {
      const auto counter = std::make_shared<PlainCounter>();
      const auto splitter = make_splitter(name, {256, 25}, counter);
      const Node parent = node_of(text);
      const auto pieces = splitter->apply(parent);
      EXPECT_LE(counter->bytes, 8 * text.size()) << name << " of " << text.substr(0, 20);
      EXPECT_EQ(pieces.empty(), utf8::trim(text).empty());
    }
  }
}

}  // namespace
}  // namespace hasten
