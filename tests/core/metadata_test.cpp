#include "core/metadata.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

Metadata every_type() {
  return {{"flag", true},
          {"count", std::int64_t{-5}},
          {"largest", std::numeric_limits<std::int64_t>::max()},
          {"smallest", std::numeric_limits<std::int64_t>::min()},
          {"share", 0.1},
          {"whole", 2.0},
          {"endless", -std::numeric_limits<double>::infinity()},
          {"text", std::string("中文 \"quoted\" \n")},
          {"like_a_date", std::string("2026-11-22")},
          {"day", Date{20779}},
          {"early", Date{std::numeric_limits<std::int32_t>::min()}},
          {"list", std::vector<std::string>{"a", "", "2026-11-22"}},
          {"none", std::vector<std::string>{}}};
}

TEST(Metadata, IsDecodedAsEncoded) {
  EXPECT_EQ(decode_metadata(encode_metadata(every_type())), every_type());
  EXPECT_EQ(decode_metadata(encode_metadata({})), Metadata{});
  const auto decoded = decode_metadata(encode_metadata({{"x", std::nan("")}}));
  EXPECT_TRUE(std::isnan(std::get<double>(decoded.at("x"))));
}

TEST(Metadata, InvalidUtf8IsReplaced) {
  const Metadata broken{{"a\xFF", std::string("b\xC3")}, {"l", std::vector<std::string>{"\x80"}}};
  EXPECT_EQ(to_json(broken).dump(), "{\"a�\":\"b�\",\"l\":[\"�\"]}");
  EXPECT_EQ(std::get<std::string>(decode_metadata(encode_metadata(broken)).at("a�")), "b�");
}

TEST(Metadata, ForPeople) {
  const json object = to_json(every_type());
  EXPECT_EQ(object["day"], "2026-11-22");
  EXPECT_EQ(object["flag"], true);
  EXPECT_EQ(object["count"], -5);
  EXPECT_EQ(object["list"], json::array({"a", "", "2026-11-22"}));
  EXPECT_TRUE(object["endless"].is_null());
  EXPECT_EQ(to_json({}), json::object());
}

TEST(Metadata, DamageIsFound) {
  for (std::string_view text : {"", "{", "[]", "5", "{\"a\":null}", "{\"a\":{}}", "{\"a\":{\"date\":\"x\"}}",
                                "{\"a\":{\"date\":1,\"b\":2}}", "{\"a\":[1]}", "{\"a\":{\"number\":\"one\"}}",
                                "{\"a\":{\"number\":5}}", "{\"a\":1}x"}) {
    try {
      decode_metadata(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged);
    }
  }
}

struct ValueCase {
  std::string_view json;
  std::optional<Value> value;
};

TEST(Metadata, ValuesFromJson) {
  const ValueCase cases[] = {
      {"true", true},
      {"-5", std::int64_t{-5}},
      {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
      {"9223372036854775808", 9223372036854775808.0},
      {"0.5", 0.5},
      {"\"x\"", std::string("x")},
      {"\"2026-11-22\"", Date{20779}},
      {"\"2026-11-22T10:00:00Z\"", Date{20779}},
      {"\"on 2026-11-22\"", std::string("on 2026-11-22")},
      {"[\"a\", 5, true, null, {\"b\": 1}]", std::vector<std::string>{"a", "5", "true"}},
      {"[]", std::vector<std::string>{}},
      {"null", std::nullopt},
      {"{\"a\": 1}", std::nullopt},
  };
  for (const ValueCase& c : cases) {
    EXPECT_EQ(value_from_json(json::parse(c.json)), c.value) << c.json;
  }
}

}  // namespace
}  // namespace hasten
