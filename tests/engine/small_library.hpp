#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hasten/document.hpp"

namespace hasten {

/// A knowledge base of a few texts, English and Chinese, that is removed with the test. "Passages" hold
/// about three sentences, "Sentences" are made from them; "FineChunk" stands beside both.
class SmallLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hasten-library-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = std::filesystem::canonical(pattern);
    settings_.embedder = "all-MiniLM-L6-v2";
    settings_.group = "Passages";
    settings_.groups = {{"Passages", "root", "sentence", 40, 10},
                        {"Sentences", "Passages", "sentence", 14, 0}};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::vector<TextDocument> texts() {
    return {
        {"tea.txt",
         "Green tea is brewed with water of eighty degrees. Black tea takes boiling water. Oolong lies "
         "between "
         "the two. Tea was first drunk in China. Monks carried it to Japan. The leaves are picked in spring. "
         "Water that is too hot makes green tea bitter. A pot of clay keeps the water warm. The second brew "
         "is "
         "often the best. Tea is kept dry and dark.",
         {{"topic", std::string("drinks")}, {"year", std::int64_t{2020}}}},
        {"coffee.txt",
         "Coffee grows in the mountains of Ethiopia. Its beans are roasted until they are brown. Water of "
         "ninety "
         "degrees draws the taste out. Too hot water makes coffee bitter. Espresso is pressed with steam. "
         "Coffee "
         "was first drunk in Yemen. Sailors carried it to Europe. A cup of coffee wakes the tired.",
         {{"topic", std::string("drinks")}, {"year", std::int64_t{2021}}}},
        {"volcano.txt",
         "Lava is molten rock that flows out of a volcano. Ash clouds can ground aeroplanes. Hot water "
         "springs "
         "from the ground nearby. Geysers throw boiling water into the air. Iceland has many of them. "
         "Islands "
         "rise from the sea where lava cools. Surtsey is the youngest of them.",
         {{"topic", std::string("earth")}, {"year", std::int64_t{2020}}}},
        {"copy.txt",
         "Green tea is brewed with water of eighty degrees. Black tea takes boiling water. Oolong lies "
         "between "
         "the two.",
         {{"topic", std::string("drinks")}, {"year", std::int64_t{2022}}}},
        {"茶.txt",
         "绿茶用八十度的水冲泡。红茶要用沸水。乌龙茶介于两者之间。茶最早在中国饮用。僧人把茶带到了日本。"
         "茶叶在春天采摘。水太热会使绿茶变苦。茶叶要保存在干燥避光的地方。",
         {{"topic", std::string("drinks")}, {"year", std::int64_t{2021}}}},
        {"地铁.txt",
         "北京地铁有四百九十座车站。首条线路于一九六九年开通。十号线是一条环线。环线共有四十五座车站。"
         "早上的列车非常拥挤。车站里禁止吸烟。",
         {{"topic", std::string("trains")}, {"year", std::int64_t{2019}}}},
    };
  }

  Document open(Document::Access access = Document::Access::write) const {
    return Document::open(folder_ / "kb.hasten", settings_, access);
  }
  /// An open knowledge base that holds texts().
  Document filled(bool embed = true) const {
    Document document = open();
    add(document, texts(), embed);
    return document;
  }
  static void add(Document& document, const std::vector<TextDocument>& documents, bool embed = true) {
    IngestOptions options;
    options.embed = embed;
    options.groups = {"Passages", "Sentences", "FineChunk"};
    document.add(documents, options);
  }

  static std::vector<std::string> paths(const SearchResult& result) {
    std::vector<std::string> found;
    for (const Hit& hit : result.hits) found.push_back(hit.path);
    return found;
  }
  static std::vector<Id> ids(const SearchResult& result) {
    std::vector<Id> found;
    for (const Hit& hit : result.hits) found.push_back(hit.node.id);
    return found;
  }
  template <class Function>
  static std::pair<Code, std::string> error_of(Function function) {
    try {
      function();
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {Code::internal, "nothing was thrown"};
  }

  std::filesystem::path folder_;
  Settings settings_;
};

}  // namespace hasten
