#include "retrieval/question_numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

namespace hasten {
namespace {

using enum QuestionPart;
using Tokens = std::span<const QuestionToken>;

struct NumberWord {
  double value;
  bool ordinal = false;
};

using NumberWords = std::unordered_map<std::string_view, NumberWord>;

const NumberWords& small_numbers() {
  static const NumberWords words = {{"zero", {0}},
                                    {"two", {2}},
                                    {"three", {3}},
                                    {"four", {4}},
                                    {"five", {5}},
                                    {"six", {6}},
                                    {"seven", {7}},
                                    {"eight", {8}},
                                    {"nine", {9}},
                                    {"ten", {10}},
                                    {"eleven", {11}},
                                    {"twelve", {12}},
                                    {"thirteen", {13}},
                                    {"fourteen", {14}},
                                    {"fifteen", {15}},
                                    {"sixteen", {16}},
                                    {"seventeen", {17}},
                                    {"eighteen", {18}},
                                    {"nineteen", {19}},
                                    {"twenty", {20}},
                                    {"thirty", {30}},
                                    {"forty", {40}},
                                    {"fifty", {50}},
                                    {"sixty", {60}},
                                    {"seventy", {70}},
                                    {"eighty", {80}},
                                    {"ninety", {90}},
                                    {"one", {1}},
                                    {"third", {3, true}},
                                    {"fourth", {4, true}},
                                    {"fifth", {5, true}},
                                    {"sixth", {6, true}},
                                    {"seventh", {7, true}},
                                    {"eighth", {8, true}},
                                    {"ninth", {9, true}},
                                    {"tenth", {10, true}},
                                    {"eleventh", {11, true}},
                                    {"twelfth", {12, true}},
                                    {"thirteenth", {13, true}},
                                    {"fourteenth", {14, true}},
                                    {"fifteenth", {15, true}},
                                    {"sixteenth", {16, true}},
                                    {"seventeenth", {17, true}},
                                    {"eighteenth", {18, true}},
                                    {"nineteenth", {19, true}},
                                    {"twentieth", {20, true}},
                                    {"first", {1, true}}};
  return words;
}

const std::unordered_map<std::string_view, double>& scales() {
  static const std::unordered_map<std::string_view, double> words = {
      {"hundred", 100}, {"thousand", 1000}, {"million", 1e6}, {"billion", 1e9}, {"trillion", 1e12},
      {"十", 10},       {"百", 100},        {"千", 1000},     {"万", 1e4},      {"亿", 1e8}};
  return words;
}

const std::unordered_map<std::string_view, int>& han_digits() {
  static const std::unordered_map<std::string_view, int> digits = {
      {"零", 0}, {"〇", 0}, {"一", 1}, {"二", 2}, {"三", 3}, {"四", 4},
      {"五", 5}, {"六", 6}, {"七", 7}, {"八", 8}, {"九", 9}, {"两", 2}};
  return digits;
}

// Units by their names; the first is the form.
constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"%", "%"},          {"percent", "%"},     {"per cent", "%"},    {"km", "km"},
    {"kilometer", "km"}, {"kilometre", "km"},  {"公里", "km"},       {"千米", "km"},
    {"m", "m"},          {"meter", "m"},       {"metre", "m"},       {"米", "m"},
    {"cm", "cm"},        {"centimeter", "cm"}, {"centimetre", "cm"}, {"厘米", "cm"},
    {"公分", "cm"},      {"mm", "mm"},         {"millimeter", "mm"}, {"millimetre", "mm"},
    {"毫米", "mm"},      {"mile", "mile"},     {"英里", "mile"},     {"ft", "ft"},
    {"foot", "ft"},      {"feet", "ft"},       {"英尺", "ft"},       {"inch", "inch"},
    {"英寸", "inch"},    {"kg", "kg"},         {"kilogram", "kg"},   {"kilo", "kg"},
    {"公斤", "kg"},      {"千克", "kg"},       {"g", "g"},           {"gram", "g"},
    {"克", "g"},         {"mg", "mg"},         {"milligram", "mg"},  {"毫克", "mg"},
    {"ton", "t"},        {"tonne", "t"},       {"吨", "t"},          {"lb", "lb"},
    {"pound", "lb"},     {"斤", "jin"},        {"l", "l"},           {"liter", "l"},
    {"litre", "l"},      {"升", "l"},          {"ml", "ml"},         {"毫升", "ml"},
    {"s", "s"},          {"sec", "s"},         {"second", "s"},      {"秒", "s"},
    {"ms", "ms"},        {"毫秒", "ms"},       {"min", "min"},       {"minute", "min"},
    {"分钟", "min"},     {"h", "h"},           {"hr", "h"},          {"hour", "h"},
    {"小时", "h"},       {"day", "day"},       {"天", "day"},        {"week", "week"},
    {"周", "week"},      {"星期", "week"},     {"month", "month"},   {"个月", "month"},
    {"year", "year"},    {"kb", "kb"},         {"mb", "mb"},         {"gb", "gb"},
    {"tb", "tb"},        {"$", "usd"},         {"dollar", "usd"},    {"usd", "usd"},
    {"美元", "usd"},     {"€", "eur"},         {"euro", "eur"},      {"eur", "eur"},
    {"欧元", "eur"},     {"£", "gbp"},         {"gbp", "gbp"},       {"英镑", "gbp"},
    {"¥", "cny"},        {"元", "cny"},        {"人民币", "cny"},    {"rmb", "cny"},
    {"°", "degree"},     {"degree", "degree"}, {"度", "degree"},     {"摄氏度", "degree c"},
    {"hz", "hz"},        {"khz", "khz"},       {"mhz", "mhz"},       {"ghz", "ghz"},
    {"w", "w"},          {"kw", "kw"},         {"mw", "mw"},         {"v", "v"}};

constexpr std::string_view kMonths[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

bool is_digits(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && is_ascii_digit(text.front());
}

/// Digits without what says nothing: 007 is 7, 2.50 is 2.5; a version (1.2.3) as it stands.
std::string plain_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  while (text.size() > 1 && text[0] == '0' && is_ascii_digit(text[1])) text.remove_prefix(1);
  if (std::ranges::count(text, '.') == 1) {
    while (text.ends_with('0')) text.remove_suffix(1);
    if (text.ends_with('.')) text.remove_suffix(1);
  }
  return fmt::format("{}{}", negative ? "-" : "", text);
}

std::string number_text(double value) { return plain_number(fmt::format("{:.6f}", value)); }

std::optional<double> value_of(std::string_view digits) {
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// A number that tokens begin with, in one form, and how many tokens it is.
struct Number {
  std::string text;
  std::size_t tokens = 0;
};

/// 一九九八: digit after digit.
Number han_year(Tokens tokens) {
  Number number;
  for (const QuestionToken& token : tokens) {
    const auto found = han_digits().find(token.text);
    if (found == han_digits().end() || token.text == "两") break;
    number.text += static_cast<char>('0' + found->second);
    ++number.tokens;
  }
  const bool scaled = number.tokens < tokens.size() && scales().contains(tokens[number.tokens].text);
  if (number.tokens < 2 || scaled) return {};
  number.text = plain_number(number.text);
  return number;
}

/// What adds up: 三百二十, two hundred and five, 1.5 million, 3 亿 2 千万.
class Sum {
 public:
  /// @return whether `text` goes on with the number.
  bool take(std::string_view text) {
    if (const auto scale = scales().find(text); scale != scales().end()) return scale_by(scale->second);
    if (const auto digit = han_digits().find(text); digit != han_digits().end()) return add(digit->second);
    if (const auto word = small_numbers().find(text); word != small_numbers().end()) {
      if (ordinal_ || !add(word->second.value)) return false;
      ordinal_ = word->second.ordinal;
      return true;
    }
    const auto value = parts_.empty() && is_digits(text) ? value_of(text) : std::nullopt;
    if (!value) return false;
    parts_.push_back(*value);
    digits_ = true;  // 100 二: two numbers
    return true;
  }
  bool any() const noexcept { return !parts_.empty(); }
  std::string text() const {
    double sum = 0;
    for (const double part : parts_) sum += part;
    return number_text(sum) + (ordinal_ ? "th" : "");
  }

 private:
  bool add(double value) {
    const double room = value < 10 ? 10 : value < 100 ? 100 : 1000;
    if (any() && (digits_ || parts_.back() < room || std::fmod(parts_.back(), room) != 0)) return false;
    parts_.push_back(value);
    return true;
  }
  /// All that is smaller counts in units of the scale: 三千|万.
  bool scale_by(double scale) {
    if (!any() && scale != 10) return false;  // 百姓, "hundreds": no number
    double sum = 0;
    while (any() && parts_.back() < scale) {
      sum += parts_.back();
      parts_.pop_back();
    }
    parts_.push_back((sum == 0 ? 1 : sum) * scale);
    digits_ = false;
    return true;
  }

  std::vector<double> parts_;
  bool digits_ = false, ordinal_ = false;
};

struct Unit {
  std::string_view form;
  std::size_t tokens = 0;
};

/// The longest unit that tokens begin with.
Unit unit_at(Tokens tokens) {
  static const auto units = [] {
    std::unordered_map<std::string_view, std::string_view> by_name(std::begin(kUnits), std::end(kUnits));
    return by_name;
  }();
  std::string name;
  Unit best;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, tokens.size()); ++i) {
    name += tokens[i].text;
    if (const auto found = units.find(name); found != units.end()) best = {found->second, i + 1};
  }
  return best;
}

Number number_at(Tokens tokens) {
  if (Number year = han_year(tokens); year.tokens > 0) return year;
  Sum sum;
  Number number;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool joins = i > 0 && tokens[i].text == "and" && scales().contains(tokens[i - 1].text) &&
                       i + 1 < tokens.size() && small_numbers().contains(tokens[i + 1].text);
    if (joins && sum.any()) continue;
    if (i > 0 && unit_at(tokens.subspan(i)).tokens > 1) break;  // 5 千米: not 5,000 m
    if (!sum.take(tokens[i].text)) break;
    number.tokens = i + 1;
  }
  const bool one = number.tokens == 1 && tokens[0].text == "one";  // "which one"
  if (number.tokens == 0 || one) {
    if (tokens.empty() || !is_digits(tokens[0].text)) return {};
    return {plain_number(tokens[0].text), 1};  // 1.2.3
  }
  number.text = number.tokens == 1 && is_digits(tokens[0].text) ? plain_number(tokens[0].text) : sum.text();
  return number;
}

std::optional<int> month_of(std::string_view word) {
  const auto month = std::ranges::find_if(kMonths, [&](std::string_view name) {
    return word == name || (word.size() == 3 && name.starts_with(word)) ||
           (word == "sept" && name == "september");
  });
  if (month == std::end(kMonths)) return std::nullopt;
  return static_cast<int>(month - std::begin(kMonths)) + 1;
}

/// The value of a whole number from `from` to `to`.
std::optional<int> whole(const QuestionToken& token, int from, int to) {
  std::string_view text = token.text;
  if (text.ends_with("th")) text.remove_suffix(2);
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool fits =
      token.part == number && read.ptr == text.data() + text.size() && value >= from && value <= to;
  return fits ? std::optional(value) : std::nullopt;
}

struct Date {
  std::string text;
  std::size_t tokens = 0;
};

std::string iso(std::optional<int> year, int month, std::optional<int> day) {
  return fmt::format("{}-{:02}{}", year ? fmt::format("{}", *year) : "", month,
                     day ? fmt::format("-{:02}", *day) : "");
}

/// 2020 年 5 月 3 日, May 3rd 2020, 3 May 2020, 2020-05-03, and without year or day.
Date date_at(Tokens tokens) {
  const auto is = [&](std::size_t i, std::string_view text) {
    return i < tokens.size() && tokens[i].text == text;
  };
  const auto at = [&](std::size_t i, int from, int to) {
    return i < tokens.size() ? whole(tokens[i], from, to) : std::nullopt;
  };
  const auto month_word = [&](std::size_t i) {
    return i < tokens.size() ? month_of(tokens[i].text) : std::nullopt;
  };
  const auto year_at = [&](std::size_t i) { return at(i, 1000, 2999); };
  // Chinese
  std::size_t i = 0;
  const auto year = year_at(0);
  if (year && is(1, "年")) i = 2;
  if (const auto month = at(i, 1, 12); month && is(i + 1, "月") && (i == 2 || !year)) {
    const auto day = at(i + 2, 1, 31);
    const bool has_day = day && (is(i + 3, "日") || is(i + 3, "号"));
    return {iso(i == 2 ? year : std::nullopt, *month, has_day ? day : std::nullopt), i + (has_day ? 4 : 2)};
  }
  if (i == 2) return {tokens[0].text, 2};
  // 2020-05-03
  if (const auto month = at(1, 1, 12); year && month && tokens[1].text.size() <= 2) {
    if (const auto day = at(2, 1, 31)) return {iso(year, *month, day), 3};
  }
  // May 3rd, 2020; May 2020; "may" alone is no month
  if (const auto month = month_word(0)) {
    const auto day = at(1, 1, 31);
    std::size_t n = day ? 2 : 1;
    if (day && (is(n, "th") || is(n, "st") || is(n, "nd") || is(n, "rd"))) ++n;
    const auto of_year = year_at(n);
    if (of_year) ++n;
    if (n > 1) return {iso(of_year, *month, day), n};
  }
  // 3 May 2020, 3rd of May
  if (const auto day = at(0, 1, 31)) {
    std::size_t n = 1;
    if (is(n, "th") || is(n, "st") || is(n, "nd") || is(n, "rd")) ++n;
    if (is(n, "of")) ++n;
    if (const auto month = month_word(n)) {
      const auto of_year = year_at(n + 1);
      return {iso(of_year, *month, day), n + (of_year ? 2 : 1)};
    }
  }
  return {};
}

/// Numbers in one form, with their units.
std::vector<QuestionToken> numbers_and_units(Tokens tokens) {
  std::vector<QuestionToken> result;
  while (!tokens.empty()) {
    if (tokens[0].part != content) {
      result.push_back(tokens[0]);
      tokens = tokens.subspan(1);
      continue;
    }
    // $5
    const bool currency =
        tokens.size() > 1 && is_digits(tokens[1].text) && (unit_at(tokens.first(1)).tokens == 1);
    const bool sign = currency && static_cast<unsigned char>(tokens[0].text[0]) != '%' &&
                      !(tokens[0].text[0] >= 'a' && tokens[0].text[0] <= 'z') && tokens[0].text.size() <= 3;
    const std::string_view before = sign ? unit_at(tokens.first(1)).form : std::string_view();
    const Number found = number_at(tokens.subspan(sign ? 1 : 0));
    if (found.tokens == 0) {
      result.push_back(tokens[0]);
      tokens = tokens.subspan(1);
      continue;
    }
    tokens = tokens.subspan(found.tokens + (sign ? 1 : 0));
    const Unit unit = before.empty() ? unit_at(tokens) : Unit{before, 0};
    tokens = tokens.subspan(unit.tokens);
    result.push_back(
        {fmt::format("{}{}{}", found.text, unit.form.empty() ? "" : " ", unit.form), number, false});
  }
  return result;
}

}  // namespace

bool is_unit(std::string_view word) {
  return std::ranges::find(kUnits, word, [](auto& u) { return u.first; }) != std::end(kUnits);
}

std::vector<QuestionToken> with_numbers(std::vector<QuestionToken> tokens) {
  const std::vector<QuestionToken> plain = numbers_and_units(tokens);
  std::vector<QuestionToken> result;
  for (Tokens rest = plain; !rest.empty();) {
    if (Date date = date_at(rest); date.tokens > 0) {
      result.push_back({std::move(date.text), number, false});
      rest = rest.subspan(date.tokens);
    } else {
      result.push_back(rest[0]);
      rest = rest.subspan(1);
    }
  }
  return result;
}

}  // namespace hasten
