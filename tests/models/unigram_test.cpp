#include "models/unigram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/utf8.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

constexpr std::int32_t kUnknown = 1000;

struct Piece {
  std::string text;
  float score;
};

std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> all;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    all.push_back(c);
    at += size;
  }
  return all;
}

/// A packed vocabulary at an address that a tokenizer can use it at.
class Packed {
 public:
  Packed(const std::vector<Piece>& pieces, const std::map<std::uint32_t, std::string>& replaced) {
    std::map<std::string_view, std::int32_t> sorted;
    UnigramVocabulary v;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      sorted[pieces[i].text] = static_cast<std::int32_t>(i);
      v.scores.push_back(pieces[i].score);
    }
    std::vector<std::string_view> keys;
    std::vector<std::int32_t> ids;
    for (const auto& [key, id] : sorted) {
      keys.push_back(key);
      ids.push_back(id);
    }
    v.trie = build_trie(keys, ids);
    v.unknown = kUnknown;
    v.begin = 2000;
    v.end = 2001;
    for (const auto& [from, to] : replaced) {
      v.from.push_back(from);
      v.begins.push_back(static_cast<std::uint32_t>(v.to.size()));
      const auto by = code_points(to);
      v.to.insert(v.to.end(), by.begin(), by.end());
    }
    v.begins.push_back(static_cast<std::uint32_t>(v.to.size()));
    const std::string bytes = pack(v);
    words_.resize(bytes.size() / sizeof(std::uint32_t));
    std::memcpy(words_.data(), bytes.data(), bytes.size());
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)); }
  std::vector<std::uint32_t>& words() { return words_; }

 private:
  std::vector<std::uint32_t> words_;
};

std::vector<std::string> texts_of(const std::vector<std::int32_t>& ids, const std::vector<Piece>& pieces) {
  std::vector<std::string> texts;
  for (const auto id : ids) {
    texts.push_back(id == kUnknown ? "?" : pieces[static_cast<std::size_t>(id)].text);
  }
  return texts;
}

TEST(Unigram, CutsAsTheScoresSay) {
  const std::vector<Piece> pieces = {{"▁", -2},     {"▁ab", -3}, {"a", -4},    {"b", -4},
                                     {"abc", -4.5}, {"c", -4},   {"北京", -3}, {"北", -2}};
  const Packed packed(pieces, {{0xFF41, "a"}, {'\t', " "}, {0x00AD, ""}, {0x2122, "TM"}});
  const UnigramTokenizer tokenizer(packed.bytes());
  struct Case {
    std::string text;
    std::vector<std::string> pieces;
  };
  const std::vector<Case> cases = {
      {"", {}},
      {"ab", {"▁ab"}},
      {"abc", {"▁", "abc"}},  // -6.5, and ▁ab + c -7
      {"  ab", {"▁ab"}},      // runs of spaces are one
      {"ab ab", {"▁ab", "▁ab"}},
      {"ab\tab", {"▁ab", "▁ab"}},  // replaced
      {"ａb", {"▁ab"}},
      {"a\u00ADb", {"▁ab"}},  // replaced by nothing
      {"\u00AD", {"▁"}},
      {"ab ", {"▁ab", "▁"}},
      {"北京", {"▁", "北京"}},
      {"北x京", {"▁", "北", "?", "?"}},
      {"™", {"▁", "?", "?"}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(texts_of(tokenizer.encode(c.text), pieces), c.pieces) << c.text;
  }
  EXPECT_EQ(tokenizer.begin(), 2000);
  EXPECT_EQ(tokenizer.end(), 2001);
}

// The best score of any way to cut `text`, by trying them all.
float best_score(std::string_view text, const std::map<std::string, float>& scores, float unknown) {
  std::vector<float> best(text.size() + 1, -1e30F);
  best[0] = 0;
  for (std::size_t to = 1; to <= text.size(); ++to) {
    for (std::size_t from = 0; from < to; ++from) {
      const auto found = scores.find(std::string(text.substr(from, to - from)));
      if (found != scores.end()) best[to] = std::max(best[to], best[from] + found->second);
    }
    best[to] = std::max(best[to], best[to - 1] + unknown);
  }
  return best[text.size()];
}

TEST(Unigram, FindsTheBestCutOfAll) {
  std::mt19937 random(3);
  const auto word = [&](std::size_t most) {
    std::string w;
    for (std::size_t n = 1 + random() % most; n > 0; --n) w += static_cast<char>('a' + random() % 3);
    return w;
  };
  for (int round = 0; round < 50; ++round) {
    std::map<std::string, float> scores;
    for (int i = 0; i < 25; ++i) scores[word(5)] = -static_cast<float>(random() % 64) / 4;
    scores["▁"] = 0;  // before every text, so that it decides nothing
    std::vector<Piece> pieces;
    for (const auto& [text, score] : scores) pieces.push_back({text, score});
    const Packed packed(pieces, {});
    const UnigramTokenizer tokenizer(packed.bytes());
    const auto worst =
        std::min_element(scores.begin(), scores.end(), [](auto& a, auto& b) { return a.second < b.second; });
    const float unknown = worst->second - 10;
    for (int i = 0; i < 20; ++i) {
      const std::string text = word(30);
      float score = 0;
      std::string whole;
      for (const auto& piece : texts_of(tokenizer.encode(text), pieces)) {
        score += piece == "?" ? unknown : scores.at(piece);
        whole += piece;
      }
      EXPECT_FLOAT_EQ(score, best_score(text, scores, unknown)) << text;
      if (whole.find('?') == std::string::npos) {
        EXPECT_EQ(whole, "▁" + text);
      }
    }
  }
}

TEST(Unigram, TheTrieHoldsItsKeysAndNoOthers) {
  std::mt19937 random(5);
  std::set<std::string> words;
  while (words.size() < 2000) {
    std::string w;
    for (std::size_t n = 1 + random() % 6; n > 0; --n) w += static_cast<char>(1 + random() % 255);
    words.insert(w);
  }
  const std::vector<std::string_view> keys(words.begin(), words.end());
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < keys.size(); ++i) ids.push_back(static_cast<std::int32_t>(i * 3));
  const auto trie = build_trie(keys, ids);
  const auto find = [&](std::string_view key) -> std::int32_t {
    std::size_t cell = 0;
    for (const char c : std::string(key) + '\0') {
      const auto next = static_cast<std::size_t>(trie[cell].base + static_cast<unsigned char>(c));
      if (next >= trie.size() || trie[next].parent != static_cast<std::int32_t>(cell)) return -1;
      cell = next;
    }
    return -(trie[cell].base + 1);
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(find(keys[i]), ids[i]);
    const std::string longer = std::string(keys[i]) + "x";
    if (!words.contains(longer)) {
      EXPECT_EQ(find(longer), -1);
    }
    const std::string shorter(keys[i].substr(0, keys[i].size() - 1));
    if (!shorter.empty() && !words.contains(shorter)) {
      EXPECT_EQ(find(shorter), -1);
    }
  }
}

TEST(Unigram, RefusesAVocabularyCutAnywhere) {
  const Packed packed({{"▁", -1}, {"ab", -2}, {"abc", -3}}, {{'x', "ab"}});
  const auto bytes = packed.bytes();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto error = test::error_of([&] { UnigramTokenizer tokenizer(bytes.first(n)); });
    EXPECT_EQ(error.code(), Code::corrupt) << n << ": " << error.what();
  }
}

TEST(Unigram, NoDamageLeadsItAstray) {
  const Packed whole({{"▁", -1}, {"ab", -2}, {"abc", -3}, {"c", -1}}, {{'x', "ab"}});
  std::mt19937 random(9);
  for (int round = 0; round < 3000; ++round) {
    Packed packed = whole;
    packed.words()[random() % packed.words().size()] = static_cast<std::uint32_t>(random());
    try {
      const UnigramTokenizer tokenizer(packed.bytes());
      EXPECT_LE(tokenizer.encode("xabc cab").size(), 16U);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::corrupt);
    }
  }
}

}  // namespace
}  // namespace hasten
