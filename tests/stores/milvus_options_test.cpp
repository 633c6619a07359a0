// Settings of a Milvus store, and what becomes of filters: nothing here needs a server.
#include "stores/milvus/milvus_options.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "stores/milvus/milvus_fields.hpp"
#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

using nlohmann::json;

std::string refusal(const char* kwargs) {
  try {
    MilvusOptions::from(json::parse(kwargs), "store.kwargs");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid) << kwargs;
    return error.what();
  }
  return "none";
}

TEST(MilvusOptions, AnAddressIsReadInEveryForm) {
  const struct {
    const char *uri, *address;
    bool tls;
  } cases[] = {
      {"http://127.0.0.1:19530", "127.0.0.1:19530", false},
      {"http://milvus.example/", "milvus.example:19530", false},
      {"https://milvus.example:443", "milvus.example:443", true},
      {"tcp://milvus:1", "milvus:1", false},
      {"milvus:65535", "milvus:65535", false},
      {"milvus", "milvus:19530", false},
      {"http://[::1]:19531", "[::1]:19531", false},
      {"[::1]", "[::1]:19530", false},
  };
  for (const auto& c : cases) {
    const auto options = MilvusOptions::from({{"uri", c.uri}}, "store.kwargs");
    EXPECT_EQ(options.address(), c.address);
    EXPECT_EQ(options.tls, c.tls) << c.uri;
  }
}

TEST(MilvusOptions, WhatIsMissingHasItsDefault) {
  const auto options = MilvusOptions::from(nullptr, "store.kwargs");
  EXPECT_EQ(options.address(), "localhost:19530");
  EXPECT_EQ(options.db_name, "default");
  EXPECT_EQ(options.token, "");
  EXPECT_EQ(options.consistency, MilvusConsistency::strong);
  EXPECT_EQ(options.index.type, "HNSW");
  EXPECT_FALSE(options.index.exact());
  EXPECT_EQ(options.index.build, (std::map<std::string, std::int64_t>{{"M", 16}, {"efConstruction", 200}}));
  EXPECT_EQ(options.index.search_for(10).at("ef"), 64);
  EXPECT_EQ(options.index.search_for(1000).at("ef"), 1000) << "a walk keeps at least k";
}

TEST(MilvusOptions, WhatIsGivenIsTaken) {
  const auto options = MilvusOptions::from(
      json::parse(R"({"uri": "https://m:1", "user": "u", "password": "p:q", "db_name": "d_1",
        "consistency_level": "Session", "timeout_s": 1.5, "connect_timeout_s": 2, "retries": 0,
        "batch_bytes": 65536, "tls": {"ca_file": "ca", "client_cert": "c", "client_key": "k", "server_name": "s"},
        "index_kwargs": {"index_type": "IVF_PQ", "metric_type": "L2", "params": {"nlist": 64, "m": 4, "nbits": 6},
                         "search_params": {"nprobe": 64}}})"),
      "store.kwargs");
  EXPECT_EQ(options.token, "u:p:q");
  EXPECT_EQ(options.db_name, "d_1");
  EXPECT_EQ(options.consistency, MilvusConsistency::session);
  EXPECT_EQ(options.timeout.count(), 1500);
  EXPECT_EQ(options.connect_timeout.count(), 2000);
  EXPECT_EQ(options.retries, 0);
  EXPECT_EQ(options.batch_bytes, 65'536U);
  EXPECT_EQ(options.ca_file + options.client_cert + options.client_key + options.server_name, "cacks");
  const auto build = options.index.build_for({"abc", 16, VectorMetric::l2});
  EXPECT_EQ(build, (std::map<std::string, std::int64_t>{{"nlist", 64}, {"m", 4}, {"nbits", 6}}));
  EXPECT_EQ(MilvusOptions::from(json{{"token", "key"}}, "x").token, "key");
}

TEST(MilvusOptions, WhatCannotBeIsNamed) {
  const struct {
    const char *kwargs, *says;
  } cases[] = {
      {R"({"uri": "data/milvus.db"})", "milvus-lite server"},
      {R"({"uri": "/var/lib/milvus"})", "is a file"},
      {R"({"uri": "ftp://m:1"})", "scheme ftp"},
      {R"({"uri": "http://m:0"})", "no port from 1 to 65535"},
      {R"({"uri": "http://m:65536"})", "no port from 1 to 65535"},
      {R"({"uri": "http://m:x"})", "no port"},
      {R"({"uri": "http://"})", "names no host"},
      {R"({"uri": "http://m:1/path"})", "no port"},
      {R"({"uri": "http://user:secret@m:1"})", "must not hold a user"},
      {R"({"uri": "http://[::1:1"})", "no ']'"},
      {R"({"uri": 5})", "must be a string"},
      {R"({"urn": "m"})", "did you mean 'uri'"},
      {R"({"token": "t", "user": "u", "password": "p"})", "both given"},
      {R"({"user": "u"})", "without store.kwargs.password"},
      {R"({"password": "p"})", "without store.kwargs.user"},
      {R"({"db_name": "a-b"})", "cannot name a database"},
      {R"({"consistency_level": "strong"})", "did you mean 'Strong'"},
      {R"({"timeout_s": 0})", "store.kwargs.timeout_s must be a number from 0.1"},
      {R"({"retries": -1})", "store.kwargs.retries must be"},
      {R"({"batch_bytes": 99999999})", "store.kwargs.batch_bytes must be"},
      {R"({"tls": {"ca_file": "a"}})", "does not begin with https://"},
      {R"({"uri": "https://m", "tls": {"client_cert": "a"}})", "go together"},
      {R"({"uri": "https://m", "tls": {"ca": "a"}})", "store.kwargs.tls.ca"},
      {R"({"index_kwargs": {"index_type": "HSNW"}})", "did you mean 'HNSW'"},
      {R"({"index_kwargs": {"index_type": "GPU_CAGRA"}})", "known: HNSW, FLAT, IVF_FLAT"},
      {R"({"index_kwargs": {"metric_type": "HAMMING"}})", "known: COSINE, IP, L2"},
      {R"({"index_kwargs": {"params": {"nlist": 5}}})",
       "HNSW has no parameter 'nlist' here; it has M, efConstruction"},
      {R"({"index_kwargs": {"params": {"ef": 5}}})", "it has M, efConstruction"},
      {R"({"index_kwargs": {"params": {"m": 5}}})", "did you mean 'M'"},
      {R"({"index_kwargs": {"search_params": {"nprobe": 5}}})",
       "HNSW has no parameter 'nprobe' here; it has ef"},
      {R"({"index_kwargs": {"index_type": "FLAT", "params": {"M": 5}}})", "it has none"},
      {R"({"index_kwargs": {"params": {"M": 1}}})", "params.M must be a whole number from 2 to 2048"},
      {R"({"index_kwargs": {"params": {"M": "16"}}})", "params.M must be a whole number"},
      {R"({"index_kwargs": {"params": 5}})", "must be an object"},
      {R"({"index_kwargs": {"index_type": "IVF_FLAT", "params": {"nlist": 65537}}})", "from 1 to 65536"},
      {R"({"index_kwargs": {"index_type": "IVF_SQ8", "params": {"nlist": 8}, "search_params": {"nprobe": 9}}})",
       "nprobe is 9: of 8 lists"},
      {R"({"index_kwargs": {"index_type": "IVF_PQ", "params": {"nbits": 17}}})", "from 1 to 16"},
      {R"({"index_kwargs": {"index_typ": "FLAT"}})", "did you mean 'index_type'"},
  };
  for (const auto& c : cases) {
    const std::string said = refusal(c.kwargs);
    EXPECT_NE(said.find(c.says), std::string::npos) << c.kwargs << "\n  " << said;
    EXPECT_EQ(said.find("secret"), std::string::npos);
  }
}

TEST(MilvusOptions, TheIndexFitsTheCollection) {
  const auto index = [](const char* kwargs) {
    const json object = json::parse(kwargs);
    return MilvusIndex::from(Kwargs(object, "index_kwargs"));
  };
  const VectorCollection collection{"abc", 30, VectorMetric::cosine};
  EXPECT_EQ(code_thrown([&] { index(R"({"metric_type": "L2"})").build_for(collection); }), "invalid");
  EXPECT_EQ(code_thrown([&] { index(R"({"metric_type": "COSINE"})").build_for(collection); }), "none");
  const char* const pq7 = R"({"index_type": "IVF_PQ", "params": {"m": 7}})";
  EXPECT_EQ(code_thrown([&] { index(pq7).build_for(collection); }), "invalid");
  EXPECT_EQ(index(R"({"index_type": "IVF_PQ"})").build_for(collection).at("m"), 6)
      << "divides 30, near 30 / 4";
  const char* const few = R"({"index_type": "IVF_FLAT", "params": {"nlist": 4}})";
  EXPECT_EQ(index(few).search_for(10).at("nprobe"), 4) << "the default is cut to what there is";
  const char* const lists = R"({"index_type": "IVF_FLAT", "search_params": {"nprobe": 20}})";
  EXPECT_EQ(index(lists).search_for(256).at("nprobe"), 20);
  EXPECT_EQ(index(lists).search_for(1024).at("nprobe"), 80)
      << "for more candidates more lists are looked through";
  EXPECT_EQ(index(lists).search_for(16384).at("nprobe"), 128) << "all that there are";
  EXPECT_TRUE(index(R"({"index_type": "FLAT"})").exact());
}

std::string pushed(const std::string& filter) {
  return milvus_filter(Filter::parse(filter), "fields").value_or("nothing");
}

TEST(MilvusFields, AFilterAsksForTheKeyOfItsTypeFirst) {
  EXPECT_EQ(pushed(""), "");
  EXPECT_EQ(pushed(R"(year >= 2020)"),
            R"((json_contains(fields["keys"], "year:n") and fields["year:n"] >= 2020))");
  EXPECT_EQ(pushed(R"(not exists(year))"), R"(not (json_contains(fields["keys"], "year:e")))");
  EXPECT_EQ(pushed(R"(lang < "f")"),
            R"((json_contains(fields["keys"], "lang:s") and fields["lang:s"] < "f"))");
}

TEST(MilvusFields, WhatCannotBeSaidExactlyIsNotSaid) {
  const std::string long_text(kMilvusTextMax, 'x');
  for (const std::string& filter :
       {std::string(R"(prefix(path, "docs/"))"), std::string(R"(year == 9007199254740992)"),
        std::string(R"(year > 1e16)"), "lang == \"" + long_text + "\"", std::string("lang == \"a\x01\""),
        std::string(R"(lang == "zh" and prefix(path, "docs/"))"), std::string(R"(not prefix(path, "d"))")}) {
    EXPECT_EQ(pushed(filter), "nothing") << filter;
  }
}

TEST(MilvusFields, FieldsHaveAKeyForTheirType) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const json kept = json::parse(milvus_fields({{"a", "x"},
                                               {"b", true},
                                               {"c", std::int64_t{1} << 62},
                                               {"d", Date{5}},
                                               {"e", std::vector<std::string>{"y"}},
                                               {"f", nan},
                                               {"g", -std::numeric_limits<double>::infinity()}}));
  EXPECT_EQ(kept["a:s"], "x");
  EXPECT_EQ(kept["b:b"], true);
  EXPECT_EQ(kept["c:n"], std::int64_t{1} << 62);
  EXPECT_EQ(kept["d:d"], 5);
  EXPECT_EQ(kept["e:l"], json::array({"y"}));
  EXPECT_EQ(kept["f:x"], true);
  EXPECT_EQ(kept["g:n"], std::numeric_limits<double>::lowest());
  EXPECT_EQ(kept["keys"].size(), 14U);
  EXPECT_EQ(json::parse(milvus_fields({}))["keys"], json::array());
  // A long text is cut at a character, and more than Milvus takes is refused.
  std::string text;
  while (text.size() < 5000) text += "字";
  EXPECT_EQ(json::parse(milvus_fields({{"t", text}}))["t:s"].get<std::string>().size(), 1023U);
  Metadata many;
  for (int i = 0; i < 100; ++i) many[std::to_string(i)] = text;
  EXPECT_EQ(code_thrown([&] { milvus_fields(many); }), "refused");
}

}  // namespace
}  // namespace hasten
