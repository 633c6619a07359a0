#include "hasten/node.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/ids.hpp"

namespace hasten {
namespace {

struct DateCase {
  std::string_view text;
  std::int32_t days;
  std::string_view written;
};

TEST(Date, Table) {
  constexpr DateCase kCases[] = {{"1970-01-01", 0, "1970-01-01"},
                                 {"1969-12-31", -1, "1969-12-31"},
                                 {"2000-02-29", 11016, "2000-02-29"},
                                 {"2026-11-22", 20779, "2026-11-22"},
                                 {"2026-11-22T10:30", 20779, "2026-11-22"},
                                 {"2026-11-22 10:30:59.25+02:00", 20779, "2026-11-22"},
                                 {"2026-11-22T103059Z", 20779, "2026-11-22"},
                                 {"0000-03-01", -719468, "0000-03-01"},
                                 {"9999-12-31", 2932896, "9999-12-31"}};
  for (const DateCase& c : kCases) {
    const auto date = Date::parse(c.text);
    ASSERT_TRUE(date) << c.text;
    EXPECT_EQ(date->days, c.days) << c.text;
    EXPECT_EQ(date->to_string(), c.written);
  }
}

TEST(Date, OtherTextsAreNone) {
  for (std::string_view text : {"",
                                "2026",
                                "2026-11",
                                "2026-11-2",
                                "2026-13-01",
                                "2026-00-10",
                                "2026-02-30",
                                "2023-02-29",
                                "1900-02-29",
                                "2026/11/22",
                                "2026-11-22x",
                                "2026-11-22T",
                                "2026-11-22 and more",
                                "2026-11-22T25:00",
                                "2026-11-22T10:60",
                                "2026-11-22T10:30:59.",
                                "2026-11-22T10:30+",
                                " 2026-11-22",
                                "2O26-11-22",
                                "-026-11-22",
                                "20261122"}) {
    EXPECT_FALSE(Date::parse(text)) << text;
  }
}

TEST(Date, EveryDayIsReadAsWritten) {
  for (std::int32_t days = -719528; days <= 2932896; days += 13) {  // years 0 to 9999
    const auto date = Date::parse(Date{days}.to_string());
    ASSERT_TRUE(date) << days;
    ASSERT_EQ(date->days, days);
  }
  EXPECT_EQ(Date{std::numeric_limits<std::int32_t>::max()}.to_string(), "5881580-07-11");
  EXPECT_EQ(Date{std::numeric_limits<std::int32_t>::min()}.to_string(), "-5877641-06-23");
}

TEST(Id, IsReadAsWritten) {
  const Id id{.high = 0x0123456789abcdef, .low = 0xfedcba9876543210};
  EXPECT_EQ(id.to_string(), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(Id::parse(id.to_string()), id);
  EXPECT_EQ(Id::parse("0123456789ABCDEFFEDCBA9876543210"), id);
  for (std::string_view text : {"", "0123", "0123456789abcdeffedcba987654321g",
                                "0123456789abcdeffedcba98765432100", "+123456789abcdeffedcba9876543210"}) {
    EXPECT_FALSE(Id::parse(text)) << text;
  }
}

TEST(IdOf, IsFixed) {
  // sha256sum of eight bytes of length, then "abc", and so on: it must never change.
  EXPECT_EQ(id_of({}).to_string(), "e3b0c44298fc1c149afbf4c8996fb924");
  EXPECT_EQ(id_of({"abc"}).to_string(), "ce91dc5eec0139adf091900d225971d6");
}

TEST(IdOf, PartsDoNotRunTogether) {
  EXPECT_NE(id_of({"ab", "c"}), id_of({"a", "bc"}));
  EXPECT_NE(id_of({"abc"}), id_of({"abc", ""}));
  EXPECT_NE(id_of({"", "abc"}), id_of({"abc", ""}));
  EXPECT_EQ(id_of({"ab", "c"}), id_of({"ab", "c"}));
}

}  // namespace
}  // namespace hasten
