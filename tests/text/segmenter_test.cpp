#include "text/segmenter.hpp"

#include <gtest/gtest.h>

#include <cppjieba/MixSegment.hpp>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/resources.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  for (char32_t c : text) utf8::append(bytes, c);
  return bytes;
}

/// The runs of Han characters in a text.
std::vector<std::u32string> han_runs(std::string_view text) {
  std::vector<std::u32string> runs(1);
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    if (utf8::is_han(c)) {
      runs.back() += c;
    } else if (!runs.back().empty()) {
      runs.emplace_back();
    }
    at += size;
  }
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

std::vector<std::string> ours(const std::u32string& run) {
  std::vector<std::string> words;
  for (const WordRange word : cut(dictionary(), run)) {
    words.push_back(to_utf8(std::u32string_view(run).substr(word.from, word.to - word.from)));
  }
  return words;
}

/// jieba itself: the oracle.
std::vector<std::string> theirs(const std::u32string& run) {
  static const cppjieba::MixSegment jieba(HASTEN_JIEBA_DICTIONARIES "/jieba.dict.utf8",
                                          HASTEN_JIEBA_DICTIONARIES "/hmm_model.utf8");
  std::vector<std::string> words;
  jieba.Cut(to_utf8(run), words);
  return words;
}

/// @return how many runs were compared.
std::size_t expect_equal_cuts(std::string_view text) {
  const auto runs = han_runs(text);
  for (const std::u32string& run : runs) EXPECT_EQ(ours(run), theirs(run)) << to_utf8(run);
  return runs.size();
}

TEST(Segmenter, CutsAsJiebaDoes) {
  expect_equal_cuts(
      "我来到北京清华大学。他来到了网易杭研大厦！小明硕士毕业于中国科学院计算所，后在日本京都大学"
      "深造。乒乓球拍卖完了；新老师生前来就餐。南京市长江大桥，研究生命起源，结婚的和尚未结婚的。"
      "周杰伦演唱会在台北小巨蛋举行。令狐冲与任盈盈笑傲江湖。向量数据库支持近似最近邻检索和全文搜索"
      "。"
      "工信处女干事每月经过下属科室都要亲口交代二十四口交换机等技术性器件的安装工作。"
      "㐂㐂人々〇龘龘靐齉爩。的的的的的的。蔡英文马云雷军任正非");
}

TEST(Segmenter, CutsRandomCharactersAsJiebaDoes) {
  // Characters that make words with each other, and some that no dictionary knows.
  const std::u32string alphabet = U"中国人民大学生活动员工作业务实现在家电脑力量子弹簧㐀龘𠀀〇一二三";
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    std::u32string run;
    for (std::size_t n = 1 + random() % 24; n > 0; --n) run += alphabet[random() % alphabet.size()];
    ASSERT_EQ(ours(run), theirs(run)) << to_utf8(run);
  }
}

TEST(Segmenter, CutsRealTextsAsJiebaDoes) {
  std::size_t runs = 0;
  for (const char* set : {"cmrc2018", "drcd", "xquad-zh"}) {
    const std::filesystem::path file = std::filesystem::path(HASTEN_SHARED_DATA) / set / "queries.jsonl";
    if (!std::filesystem::exists(file)) continue;
    runs += expect_equal_cuts(read_file(file));
  }
  if (runs == 0) GTEST_SKIP() << "no data at " << HASTEN_SHARED_DATA;
  EXPECT_GT(runs, 10000u);
}

TEST(Segmenter, EveryCharacterIsInOneWord) {
  const std::u32string run(200000, U'我');
  std::uint32_t at = 0;
  for (const WordRange word : cut(dictionary(), run)) {
    ASSERT_EQ(word.from, at);
    ASSERT_LT(word.from, word.to);
    at = word.to;
  }
  EXPECT_EQ(at, run.size());
  EXPECT_TRUE(cut(dictionary(), {}).empty());
}

TEST(Dictionary, FoldsToSimplified) {
  EXPECT_EQ(dictionary().simplified(U'語'), U'语');
  EXPECT_EQ(dictionary().simplified(U'體'), U'体');
  EXPECT_EQ(dictionary().simplified(U'中'), U'中');
  EXPECT_EQ(dictionary().simplified(0xF900), U'岂');  // a compatibility form of 豈
  EXPECT_EQ(dictionary().simplified(0x3FFFF), char32_t{0x3FFFF});
  EXPECT_EQ(dictionary().simplified(0xFFFFFFFF), char32_t{0xFFFFFFFF});
}

class DamagedDictionary : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }

  void expect_damaged(std::string_view bytes, std::string_view message) {
    std::ofstream(file_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    try {
      const Dictionary opened(file_);
      ADD_FAILURE() << "opened; expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged);
      EXPECT_NE(std::string_view(error.what()).find(message), std::string_view::npos) << error.what();
    }
  }

  std::string good_ = read_file(resource("words.dict"));
  std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("words." + std::to_string(::getpid()) + ".dict");
};

TEST_F(DamagedDictionary, IsRefused) {
  expect_damaged("short", "too short");
  expect_damaged(good_.substr(0, good_.size() - 1), "bytes after the header");
  expect_damaged(good_ + "x", "bytes after the header");
  std::string other = good_;
  other[0] = 'X';
  expect_damaged(other, "not a dictionary");
  other = good_;
  other[offsetof(DictionaryHeader, version)] = 99;
  expect_damaged(other, "version 99, expected 1");
  other = good_;
  other[offsetof(DictionaryHeader, start)] ^= 1;
  expect_damaged(other, "wrong checksum of the header");
  for (std::size_t at = sizeof(DictionaryHeader); at < good_.size(); at += good_.size() / 7) {
    other = good_;
    other[at] ^= 1;
    expect_damaged(other, "wrong checksum");
  }
}

}  // namespace
}  // namespace hasten
