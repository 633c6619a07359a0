#include "hasten/filter.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "hasten/error.hpp"

namespace hasten {
namespace {

Date day(std::string_view text) { return Date::parse(text).value(); }

Metadata sample() {
  return {{"lang", std::string("zh")},
          {"year", std::int64_t{2024}},
          {"score", 0.5},
          {"big", std::int64_t{9007199254740993}},
          {"draft", false},
          {"date", day("2026-11-22")},
          {"path", std::string("docs/guide/a.md")},
          {"tag", std::vector<std::string>{"a", "中文"}},
          {"名称", std::string("say \"hi\" \\ there")},
          {"infinite", std::numeric_limits<double>::infinity()}};
}

struct Case {
  std::string_view expression;
  bool matches;
};

constexpr Case kCases[] = {
    {"", true},
    {"  \t\n ", true},
    {R"(lang == "zh")", true},
    {R"(lang=="zh")", true},
    {R"(lang == "en")", false},
    {R"(lang != "en")", true},
    {R"(lang < "zz" and lang > "za" and lang <= "zh" and lang >= "zh")", true},
    {"year == 2024", true},
    {"year == 2024.0", true},
    {"year >= 2024 and year <= 2024", true},
    {"year > 2024 or year < 2024", false},
    {"year != 2024.5", true},
    {"year < 2024.5", true},
    {"year > 2023.5", true},
    {"year > -1e3", true},
    {"year > +5", true},
    {"score == 0.5", true},
    {"score == .5", true},
    {"score < 1", true},
    {"score > 0", true},
    {"big == 9007199254740993", true},
    {"big == 9007199254740992.0", false},
    {"big > 9007199254740992.0", true},
    {"infinite > 9223372036854775807", true},
    {"year < 9223372036854775808", true},
    {"draft == false", true},
    {"draft != true", true},
    {"not draft == true", true},
    {R"(date == date("2026-11-22"))", true},
    {R"(date >= date("2026-01-01") and date < date("2027-01-01"))", true},
    {R"(date == date("2026-11-22T10:30:00Z"))", true},
    // Another type than the literal is false, whatever the comparison.
    {R"(date == "2026-11-22")", false},
    {R"(date != "2026-11-22")", false},
    {R"(year == "2024")", false},
    {R"(year != "2024")", false},
    {"lang != 5", false},
    {"draft == 0", false},
    {"draft != 0", false},
    {R"(year in ["2024", true])", false},
    // So is a missing field.
    {"nothing == 1", false},
    {"nothing != 1", false},
    {"not nothing == 1", true},
    {"nothing in [1]", false},
    {R"(prefix(nothing, ""))", false},
    {"exists(nothing)", false},
    {"exists(year)", true},
    {"exists ( date )", true},
    {"not exists(nothing)", true},
    {"not not exists(year)", true},
    {R"(lang in ["en", "zh"])", true},
    {R"(lang in [])", false},
    {"year in [1, 2024.0, \"x\"]", true},
    {R"(date in [date("2026-11-22")])", true},
    {R"(prefix(path, "docs/"))", true},
    {R"(prefix(path, "doc/"))", false},
    {R"(prefix(path, ""))", true},
    {R"(prefix(year, "2"))", false},
    // List fields.
    {R"(tag == "a")", true},
    {R"(tag == "b")", false},
    {R"(tag != "b")", true},
    {R"(tag != "a")", false},
    {R"(tag < "b")", false},
    {"tag == 1", false},
    {"tag != 1", false},
    {R"(tag in ["b", "中文"])", true},
    {R"(tag in ["b", "c"])", false},
    {R"(prefix(tag, "中"))", true},
    // Precedence.
    {R"(year == 1 and year == 2 or lang == "zh")", true},
    {R"(lang == "zh" or year == 1 and year == 2)", true},
    {R"((lang == "zh" or year == 1) and year == 2)", false},
    {R"(not lang == "en" and year == 2024)", true},
    {R"(not (lang == "zh" and year == 2024))", false},
    // Names and strings.
    {R"(名称 == "say \"hi\" \\ there")", true},
    {"prefix == 1 or exists == 1 or date == 1", false},
    {R"(lang == "zh" and year >= 2020 and not (tag in ["b", "c"]))", true},
};

TEST(Filter, Table) {
  for (const Case& c : kCases) {
    EXPECT_EQ(Filter::parse(c.expression).matches(sample()), c.matches) << c.expression;
  }
}

TEST(Filter, KeepsItsExpression) {
  EXPECT_EQ(Filter::parse("year == 1").to_string(), "year == 1");
  EXPECT_FALSE(Filter::parse("year == 1").empty());
  EXPECT_TRUE(Filter::parse(" ").empty());
  EXPECT_TRUE(Filter().matches({}));
}

struct ErrorCase {
  std::string_view expression;
  std::string_view message;  // how it begins
};

constexpr ErrorCase kErrors[] = {
    {"lang == foo",
     "filter: column 9: expected a value (string in double quotes, number, true, false, "
     "date(\"2026-11-22\")), got `foo`\n  lang == foo\n          ^"},
    {"lang = \"zh\"",
     "filter: column 6: expected an operator (==, !=, <, <=, >, >=, in [..]), got `=`; write "
     "`==`\n  lang = \"zh\"\n       ^"},
    {"年份 = 1",
     "filter: column 4: expected an operator (==, !=, <, <=, >, >=, in [..]), got `=`; "
     "write `==`\n  年份 = 1\n       ^"},
    {"a == 1 && b == 2", "filter: column 8: expected `and`, `or` or the end, got `&&`; write `and`"},
    {"a == 1 AND b == 2", "filter: column 8: expected `and`, `or` or the end, got `AND`; write `and`"},
    {"!a == 1", "filter: column 1: expected a condition"},
    {"a <> 1", "filter: column 3: expected an operator"},
    {"a == 'x'", "filter: column 6: expected a value"},
    {"a == “x”", "filter: column 6: expected a value"},
    {"a", "filter: column 2: expected an operator (==, !=, <, <=, >, >=, in [..]), got the end"},
    {"(a == 1", "filter: column 8: expected `)`, `and` or `or`, got the end"},
    {"a == 1)", "filter: column 7: expected the end: no parenthesis is open, got `)`"},
    {"a == 1 b == 2", "filter: column 8: expected `and`, `or` or the end, got `b`"},
    {"a == \"x",
     "filter: column 8: expected a closing double quote of the string that begins at "
     "column 6, got the end"},
    {R"(a == "\n")", "filter: column 7: expected `\\\"` or `\\\\` after a backslash"},
    {"a == 12x", "filter: column 6: expected a number"},
    {"a == 1e999", "filter: column 6: expected a number"},
    {"a in 1", "filter: column 6: expected `[`, got `1`"},
    {"a in [1 2]", "filter: column 9: expected `,` or `]`, got `2`"},
    {"a in [1,", "filter: column 9: expected a value"},
    {"a not in [1]",
     "filter: column 3: expected an operator (==, !=, <, <=, >, >=, in [..]); write "
     "`not (a in [..])`, got `not`"},
    {"exists()", "filter: column 8: expected the name of a field, got `)`"},
    {"exists(a", "filter: column 9: expected `)`, got the end"},
    {"prefix(a, 1)", "filter: column 11: expected a string in double quotes, got `1`"},
    {"prefix(a)", "filter: column 9: expected `,`, got `)`"},
    {"contains(a, \"b\")", "filter: column 1: expected one of the functions"},
    {"a == date(\"2026-02-30\")", "filter: column 11: expected a day such as"},
    {"a == date(5)", "filter: column 11: expected a day such as"},
    {"and == 1", "filter: column 1: expected a condition"},
    {"not", "filter: column 4: expected a condition"},
    {"()", "filter: column 2: expected a condition"},
    {"== 1", "filter: column 1: expected a condition"},
    {"a == 1 and", "filter: column 11: expected a condition"},
};

TEST(Filter, ErrorsPointAtTheColumn) {
  for (const ErrorCase& c : kErrors) {
    try {
      Filter::parse(c.expression);
      ADD_FAILURE() << "accepted: " << c.expression;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_TRUE(std::string_view(error.what()).starts_with(c.message)) << c.expression << "\n"
                                                                         << error.what();
    }
  }
}

TEST(Filter, NestingIsBounded) {
  const auto nested = [](int depth, std::string_view open, std::string_view close) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += open;
    text += "a == 1";
    for (int i = 0; i < depth; ++i) text += close;
    return text;
  };
  EXPECT_TRUE(Filter::parse(nested(200, "(", ")")).matches({{"a", std::int64_t{1}}}));
  EXPECT_TRUE(Filter::parse(nested(200, "not ", "")).matches({{"a", std::int64_t{1}}}));
  EXPECT_THROW(Filter::parse(nested(201, "(", ")")), Error);
  EXPECT_THROW(Filter::parse(nested(100000, "not(", ")")), Error);
  // Wide is not deep.
  std::string wide = "a == 1";
  for (int i = 0; i < 20000; ++i) wide += " and a == 1";
  EXPECT_TRUE(Filter::parse(wide).matches({{"a", std::int64_t{1}}}));
}

TEST(Filter, LongExpressionsAreShownInPart) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "field == 1 and ";
  try {
    Filter::parse(text + "x = 1" + std::string(1000, ' '));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_LT(std::string_view(error.what()).size(), 400u) << error.what();
    EXPECT_NE(std::string_view(error.what()).find("x = 1"), std::string_view::npos);
  }
}

// A second evaluator: each random expression carries its own meaning as a function over fields,
// written from the rules alone.
struct Twin {
  std::string text;
  std::function<bool(const Metadata&)> meaning;
};

class RandomFilters {
 public:
  explicit RandomFilters(std::uint64_t seed) : random_(seed) {}

  Twin expression(int depth) {
    const int kind = depth == 0 ? 3 : below(6);
    if (kind == 0) return joined(depth, " or ", true);
    if (kind == 1) return joined(depth, " and ", false);
    if (kind == 2) {
      const Twin inner = expression(depth - 1);
      return {"not (" + inner.text + ")", [inner](const Metadata& m) { return !inner.meaning(m); }};
    }
    return condition();
  }

  Metadata fields() {
    Metadata metadata;
    for (const char* name : {"a", "b", "c"}) {
      switch (below(6)) {
        case 0:
          metadata[name] = std::int64_t{below(4)};
          break;
        case 1:
          metadata[name] = below(8) / 2.0;
          break;
        case 2:
          metadata[name] = word();
          break;
        case 3:
          metadata[name] = Date{below(3)};
          break;
        case 4:
          metadata[name] = std::vector<std::string>{word(), word()};
          break;
        default:
          break;  // missing
      }
    }
    return metadata;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string word() { return std::string(1, static_cast<char>('p' + below(3))); }

  Twin joined(int depth, std::string_view word, bool any) {
    std::vector<Twin> parts;
    std::string text;
    for (int i = 2 + below(2); i > 0; --i) {
      parts.push_back(expression(depth - 1));
      text += (text.empty() ? "(" : word);
      text += "(" + parts.back().text + ")";
    }
    return {text + ")", [parts, any](const Metadata& m) {
              for (const Twin& part : parts) {
                if (part.meaning(m) == any) return any;
              }
              return !any;
            }};
  }

  std::pair<std::string, Value> literal() {
    switch (below(4)) {
      case 0: {
        const std::int64_t n = below(4);
        return {std::to_string(n), n};
      }
      case 1: {
        const double x = below(8) / 2.0;
        return {fmt::format("{:.1f}", x), x};
      }
      case 2: {
        const Date date{below(3)};
        return {fmt::format("date(\"{}\")", date.to_string()), date};
      }
      default: {
        const std::string text = word();
        return {'"' + text + '"', text};
      }
    }
  }

  static bool same(const Value& a, const Value& b) {
    const auto number = [](const Value& v) -> std::optional<double> {
      if (const auto* i = std::get_if<std::int64_t>(&v)) return static_cast<double>(*i);
      if (const auto* d = std::get_if<double>(&v)) return *d;
      return std::nullopt;
    };
    if (number(a) && number(b)) return *number(a) == *number(b);
    if (const auto* list = std::get_if<std::vector<std::string>>(&a)) {
      for (const auto& item : *list) {
        if (Value(item) == b) return true;
      }
      return false;
    }
    return a == b;
  }

  Twin condition() {
    const std::string field(1, static_cast<char>('a' + below(4)));
    const auto [text, value] = literal();
    switch (below(3)) {
      case 0:
        return {fmt::format("{} == {}", field, text), [field, value = value](const Metadata& m) {
                  return m.contains(field) && same(m.at(field), value);
                }};
      case 1: {
        const auto [text2, value2] = literal();
        return {fmt::format("{} in [{}, {}]", field, text, text2),
                [field, value = value, value2 = value2](const Metadata& m) {
                  return m.contains(field) && (same(m.at(field), value) || same(m.at(field), value2));
                }};
      }
      default:
        return {fmt::format("exists({})", field), [field](const Metadata& m) { return m.count(field) == 1; }};
    }
  }

  std::mt19937_64 random_;
};

TEST(Filter, RandomExpressionsMeanWhatTheirTwinsDo) {
  RandomFilters random(1);
  int matched = 0;
  for (int i = 0; i < 2000; ++i) {
    const Twin twin = random.expression(4);
    const Filter filter = Filter::parse(twin.text);
    for (int j = 0; j < 20; ++j) {
      const Metadata fields = random.fields();
      ASSERT_EQ(filter.matches(fields), twin.meaning(fields)) << twin.text;
      matched += filter.matches(fields);
    }
  }
  EXPECT_GT(matched, 4000);  // neither all nor none
  EXPECT_LT(matched, 36000);
}

}  // namespace
}  // namespace hasten
