// Filters in Chroma's words against Filter::matches: chosen ones, and many that nobody chose.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "tests/stores/vector_store_suite.hpp"

namespace hasten {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const VectorCollection kCollection{"fields", 2, VectorMetric::l2};

class ChromaFields : public ::testing::Test {
 protected:
  void SetUp() override {
    static std::string why;
    static const auto server = make_store_under_test(why);
    if (!server) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
    store_ = server->connect();
    store_->drop(kCollection.name);
    store_->open(kCollection);
  }
  void put(const std::vector<Metadata>& all) {
    fields_ = all;
    const std::vector<float> vector = {1, 2};
    std::vector<VectorRecord> records;
    for (std::size_t i = 0; i < all.size(); ++i) {
      records.push_back({i + 1, static_cast<std::uint32_t>(i), vector, &fields_[i]});
    }
    store_->upsert(kCollection, records);
  }
  std::set<NodeNumber> found(const Filter& filter, const std::string& native) {
    std::set<NodeNumber> nodes, wanted;
    for (const VectorHit& hit :
         store_->search(kCollection, std::vector<float>{1, 1}, 1000, {native, {}}, {})) {
      nodes.insert(hit.node);
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (filter.matches(fields_[i])) wanted.insert(i + 1);
    }
    EXPECT_EQ(nodes, wanted) << filter.to_string() << " as " << native;
    return nodes;
  }

  std::vector<Metadata> fields_;
  std::unique_ptr<VectorStore> store_;
};

TEST_F(ChromaFields, WhatARecordHadBeforeIsGone) {
  put({{{"lang", "zh"}, {"year", std::int64_t{2020}}, {"tag", std::vector<std::string>{"a", "b"}}},
       {{"lang", "zh"}, {"year", 2020.5}, {"day", Date{5}}},
       {{"year", std::int64_t{1}}}});
  put({{{"year", "2020"}, {"tag", std::vector<std::string>{"b"}}}, {}, {{"year", std::nan("")}}});
  for (const char* text : {"exists(year)", "not exists(year)", "exists(lang)", R"(lang == "zh")", "year > 5",
                           "not (year > 5)", "year != 2020", "year < 5", R"(tag == "a")", R"(tag != "a")",
                           R"(day <= date("2020-01-01"))", R"(year == "2020")", "not (year != 2020)"}) {
    const Filter filter = Filter::parse(text);
    found(filter, store_->native_filter(filter).value());
  }
}

TEST_F(ChromaFields, KeysAndValuesThatAreHard) {
  const std::string large(200'000, 'x'), not_utf8 = "\xff\xfe", zero("a\0b", 3);
  std::vector<Metadata> all;
  for (const std::string& key :
       {std::string("题目"), std::string("$and"), std::string("#document"), std::string("chroma:document"),
        std::string("document"), std::string("fields"), std::string("1:sa=tsb"), std::string("a")}) {
    for (const std::string& value : {std::string("北京的地铁"), std::string(), large, large + "y", not_utf8,
                                     zero, std::string("$eq"), std::string("tsb")}) {
      all.push_back({{key, value}});
    }
    all.push_back({{key, std::vector<std::string>{large, "", "北京的地铁"}}});
  }
  all.push_back({{"", "empty"}});
  all.push_back({{not_utf8, std::int64_t{5}}});
  all.push_back({{std::string(100'000, 'k'), 2.5}});
  put(all);
  for (const std::string& text : std::vector<std::string>{
           R"(题目 == "北京的地铁")", R"(题目 != "北京的地铁")", R"(document == "")", R"(fields == "$eq")",
           R"(a in ["tsb", "$eq", ""])", R"(not exists(a))", fmt::format("a == \"{}\"", large),
           fmt::format("题目 in [\"{}y\", \"$eq\"]", large), fmt::format("a == \"{}z\"", large)}) {
    const Filter filter = Filter::parse(text);
    found(filter, store_->native_filter(filter).value());
  }
  EXPECT_EQ(store_->count(kCollection), all.size());
}

TEST_F(ChromaFields, LargeAndDeepFilters) {
  std::vector<Metadata> all;
  for (std::int64_t i = 0; i < 300; ++i) all.push_back({{"n", i}, {"s", fmt::format("v{}", i)}});
  put(all);
  std::vector<std::string> values;
  for (int i = 0; i < 900; ++i) values.push_back(fmt::format("\"v{}\"", 3 * i));
  const Filter many = Filter::parse(fmt::format("s in [{}]", fmt::join(values, ", ")));
  EXPECT_EQ(found(many, store_->native_filter(many).value()).size(), 100U);
  const Filter none = Filter::parse(fmt::format("not (s in [{}])", fmt::join(values, ", ")));
  EXPECT_EQ(found(none, store_->native_filter(none).value()).size(), 200U);
  std::string deep = "n == 5";
  for (int depth = 1; depth <= 90; ++depth) {
    deep = fmt::format("({} or n == {}) and n < 200", deep, depth);
    const Filter nested = Filter::parse(deep);
    if (depth % 5 != 0) continue;  // 25 is the deepest: two joins each
    const auto native = store_->native_filter(nested);
    ASSERT_TRUE(native || depth > 25) << depth;
    if (native) found(nested, *native);
  }
  std::vector<std::uint32_t> documents(store_->documents_max());
  for (std::size_t i = 0; i < documents.size(); ++i) documents[i] = static_cast<std::uint32_t>(2 * i);
  const auto native = store_->native_filter(many);
  EXPECT_EQ(store_->search(kCollection, std::vector<float>{1, 1}, 1000, {*native, documents}, {}).size(),
            50U);
}

/// Any filter, any fields: small worlds, so that they meet.
class Any {
 public:
  std::string filter(int depth) {
    switch (depth > 0 ? pick(7) : 3 + pick(4)) {
      case 0:
        return fmt::format("({} and {})", filter(depth - 1), filter(depth - 1));
      case 1:
        return fmt::format("({} or {})", filter(depth - 1), filter(depth - 1));
      case 2:
        return fmt::format("not ({})", filter(depth - 1));
      case 3:
        return fmt::format("exists({})", one_of(kNames));
      case 4:
        return fmt::format("{} in [{}, {}]", one_of(kNames), one_of(kLiterals), one_of(kLiterals));
      default:
        return fmt::format("{} {} {}", one_of(kNames), one_of(kOperators), one_of(kLiterals));
    }
  }
  Metadata fields() {
    static const std::vector<Value> values = {
        true,
        false,
        std::int64_t{0},
        std::int64_t{1},
        std::int64_t{-7},
        (std::int64_t{1} << 53) + 1,
        std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min(),
        0.0,
        -0.0,
        1.0,
        0.5,
        9007199254740992.0,
        9223372036854775808.0,
        -9223372036854775808.0,
        1e300,
        kInfinity,
        -kInfinity,
        std::nan(""),
        "a",
        "",
        "b",
        Date{0},
        Date{1},
        Date{-1},
        std::vector<std::string>{},
        std::vector<std::string>{"a"},
        std::vector<std::string>{"", "b", "b"},
    };
    Metadata made;
    for (const std::string& name : kNames) {
      if (pick(3) != 0) made[name] = values[pick(values.size())];
    }
    return made;
  }

 private:
  std::size_t pick(std::size_t n) { return random_() % n; }
  const std::string& one_of(const std::vector<std::string>& all) { return all[pick(all.size())]; }

  inline static const std::vector<std::string> kNames = {"x", "y", "名"};
  inline static const std::vector<std::string> kOperators = {"==", "!=", "<", "<=", ">", ">="};
  inline static const std::vector<std::string> kLiterals = {"0",
                                                            "1",
                                                            "-7",
                                                            "0.5",
                                                            "1.0",
                                                            "9007199254740993",
                                                            "9007199254740992",
                                                            "-9223372036854775808",
                                                            "true",
                                                            "false",
                                                            "\"a\"",
                                                            "\"\"",
                                                            "9223372036854775807",
                                                            "9007199254740991",
                                                            "1e300",
                                                            R"(date("1970-01-01"))",
                                                            R"(date("1970-01-02"))",
                                                            "\"b\""};
  std::mt19937_64 random_{11};
};

TEST_F(ChromaFields, ARandomFilterMeansWhatItMeansHere) {
  Any any;
  std::vector<Metadata> all;
  for (int i = 0; i < 400; ++i) all.push_back(any.fields());
  put(all);
  for (Metadata& fields : all) fields = any.fields();
  put(all);  // again: what was there before must not count
  int pushed = 0;
  for (int i = 0; i < 400; ++i) {
    const Filter filter = Filter::parse(any.filter(i % 4));
    const auto native = store_->native_filter(filter);
    if (!native) continue;
    ++pushed;
    found(filter, *native);
    if (HasFailure()) break;
  }
  EXPECT_GT(pushed, 150);
}

}  // namespace
}  // namespace hasten
