// Settings of a part: types, bounds, and keys that nobody knows.
#include "core/kwargs.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

std::string error_of(const std::function<void()>& function) {
  try {
    function();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid);
    return error.what();
  }
}

TEST(KwargsTest, ReadsWhatIsThereAndStandsInForWhatIsNot) {
  const json object = {{"uri", "x"},  {"port", 5},       {"share", 0.5},
                       {"tls", true}, {"none", nullptr}, {"in", {{"M", 16}}}};
  Kwargs kwargs(object, "store.kwargs");
  EXPECT_EQ(kwargs.text("uri"), "x");
  EXPECT_EQ(kwargs.text("none", "instead"), "instead");
  EXPECT_EQ(kwargs.integer("port", 1, 1, 9), 5);
  EXPECT_EQ(kwargs.integer("other", 7, 1, 9), 7);
  EXPECT_EQ(kwargs.number("share", 0, 0, 1), 0.5);
  EXPECT_TRUE(kwargs.flag("tls", false));
  EXPECT_FALSE(kwargs.has("other"));
  Kwargs in = kwargs.object("in");
  EXPECT_EQ(in.integer("M", 0, 1, 99), 16);
  in.done();
  Kwargs missing = kwargs.object("missing");
  EXPECT_EQ(missing.text("a", "b"), "b");
  missing.done();
  kwargs.done();
  const json null;
  Kwargs(null, "none").done();
}

TEST(KwargsTest, RefusesAndSaysWhere) {
  const json object = {{"uri", 5}, {"port", 70000}, {"share", "much"}, {"prot", 1}, {"big", UINT64_MAX}};
  Kwargs kwargs(object, "store.kwargs");
  EXPECT_EQ(error_of([&] { kwargs.text("uri"); }), "store.kwargs.uri must be a string, it is 5");
  EXPECT_EQ(error_of([&] { kwargs.integer("port", 0, 1, 65535); }),
            "store.kwargs.port must be a whole number from 1 to 65535, it is 70000");
  EXPECT_NE(error_of([&] { kwargs.integer("big", 0, 1, INT64_MAX); }), "");
  EXPECT_NE(error_of([&] { kwargs.integer("share", 0, 1, 2); }), "");
  EXPECT_NE(error_of([&] { kwargs.number("share", 0, 1, 2); }), "");
  EXPECT_NE(error_of([&] { kwargs.flag("share", false); }), "");
  EXPECT_EQ(error_of([&] { kwargs.done(); }),
            "no setting store.kwargs.prot, did you mean 'port'?; known: big, port, share, uri");
  const json list = json::array();
  EXPECT_EQ(error_of([&] { Kwargs(list, "store"); }), "store must be an object, it is []");
}

}  // namespace
}  // namespace hasten
