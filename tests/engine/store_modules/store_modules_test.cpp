// Modules of stores: what they throw is caught here, and one that is not of this build is refused with words.
#include "engine/stores/store_modules.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "engine/stores/stores.hpp"
#include "hasten/error.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

/// What is found first: it hides the module that lies beside the library.
class FirstPlace {
 public:
  explicit FirstPlace(const fs::path& folder) { ::setenv("HASTEN_DATA", folder.c_str(), 1); }
  ~FirstPlace() { ::unsetenv("HASTEN_DATA"); }
};

void expect_refused(std::string_view type, std::initializer_list<std::string_view> words) {
  try {
    store_module(type);
    ADD_FAILURE() << type << " was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    for (const std::string_view word : words) {
      EXPECT_NE(std::string_view(error.what()).find(word), std::string_view::npos) << error.what();
    }
  }
}

// First: once a module was opened it stays.
TEST(StoreModulesTest, WhatIsNoModuleOfThisBuildIsRefused) {
  {
    const FirstPlace place(HASTEN_OTHER_BUILD);
    expect_refused("milvus", {HASTEN_OTHER_BUILD, "of another build, 0.0.1-of-another-build; this is 0."});
  }
  {
    const FirstPlace place(HASTEN_NO_MODULE);
    expect_refused("milvus", {HASTEN_NO_MODULE, "it has no hasten_store_module()"});
  }
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / fs::path(HASTEN_MILVUS_MODULE).filename()) << "not a library";
  const FirstPlace place(folder.path());
  expect_refused("milvus", {folder.path().string(), "it cannot be loaded"});
}

TEST(StoreModulesTest, OneThatIsNotThereIsSaidWithWhereItWasLookedForAndHowItComes) {
  const std::string where = fs::path(HASTEN_MILVUS_MODULE).parent_path().string();
  expect_refused("nowhere", {"hasten-nowhere.", "is not beside the library in " + where, "cmake --install"});
}

TEST(StoreModulesTest, ManyThreadsOpenOne) {
  std::vector<std::future<const StoreModule*>> threads;
  for (int i = 0; i < 8; ++i) {
    threads.push_back(std::async(std::launch::async, [] { return &store_module("milvus"); }));
  }
  for (auto& thread : threads) EXPECT_EQ(thread.get(), &store_module("milvus"));
}

TEST(StoreModulesTest, WhatAModuleThrowsIsAnErrorOfOurs) {
  for (const auto& [type, uri] :
       {std::pair{"milvus", "http://127.0.0.1:1"}, std::pair{"postgres", "postgresql://a@127.0.0.1:1/b"}}) {
    Stores stores;
    stores.vector_store = {type, nlohmann::json{{"uri", uri}, {"timeout", 1}}.dump()};
    try {
      make_vector_store(stores);
      ADD_FAILURE() << type;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string_view(error.what())
                    .find("no setting store.vector_store.kwargs.timeout, did you mean 'timeout_s'?"),
                std::string_view::npos)
          << error.what();
    }
  }
}

TEST(StoreModulesTest, AStoreThatCannotBeReachedSaysSo) {
  for (const auto& [type, uri] : {std::pair{"milvus", "http://127.0.0.1:1"},
                                  std::pair{"postgres", "postgresql://somebody@127.0.0.1:1/none"}}) {
    Stores stores;
    stores.vector_store = {type, nlohmann::json{{"uri", uri}, {"timeout_s", 1}}.dump()};
    const auto store = make_vector_store(stores);
    EXPECT_EQ(store->type(), type);
    try {
      store->open({"nothing", 4, VectorMetric::cosine});
      ADD_FAILURE() << type;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Code::unavailable || error.code() == Code::timeout) << error.what();
    }
  }
}

}  // namespace
}  // namespace hasten
