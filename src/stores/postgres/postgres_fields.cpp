#include "stores/postgres/postgres_fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <vector>

#include "base/utf8.hpp"
#include "core/filter_expression.hpp"

namespace hasten::postgres {
namespace {

using Expression = Filter::Expression;
using Kind = Expression::Kind;
using List = std::vector<std::string>;

constexpr std::string_view kNan = R"({"number":"nan"})";

std::string without_nul(std::string_view text) {
  std::string written;
  written.reserve(text.size());
  for (const char c : text) {
    if (c == '\0')
      written += "\1\1";
    else if (c == '\1')
      written += "\1\2";
    else
      written += c;
  }
  return written;
}

std::string json_text(std::string_view text) {
  return nlohmann::json(without_nul(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// All digits of the exact value: it has as many decimals as binary places.
std::string digits(double number) {
  if (std::isinf(number)) return number < 0 ? "-1e400" : "1e400";
  int exponent = 0;
  std::frexp(number, &exponent);
  const int places = std::max(0, std::numeric_limits<double>::digits - exponent);
  std::array<char, 1500> text;
  const auto [end, _] =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, places);
  std::string written(text.data(), end);
  if (places > 0) written.erase(std::min(written.find_last_not_of('0') + 1, written.size()));
  if (written.ends_with('.')) written.pop_back();
  return written;
}

std::string json_of(const Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return fmt::to_string(v);
        } else if constexpr (std::is_same_v<T, double>) {
          return std::isnan(v) ? std::string(kNan) : digits(v);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return json_text(v);
        } else if constexpr (std::is_same_v<T, Date>) {
          return fmt::format(R"({{"date":{}}})", v.days);
        } else {
          std::vector<std::string> items;
          for (const std::string& item : v) items.push_back(json_text(item));
          return fmt::format("[{}]", fmt::join(items, ","));
        }
      },
      value);
}

// What a filter is made of. A CASE decides by the type of the value before it looks into it, and is false
// for a field that is missing, whose type is null: so nothing here is ever null.

std::string field(const Expression& expression) {
  return "(fields -> " + quoted_text(without_nul(expression.field)) + ")";
}

std::string text_of(const std::string& field) {
  return "((" + field + " #>> '{}') COLLATE pg_catalog.\"C\")";
}

std::string by_type(const std::string& field, const std::vector<std::pair<std::string, std::string>>& cases) {
  std::string sql = "(CASE pg_catalog.jsonb_typeof(" + field + ")";
  for (const auto& [type, condition] : cases) sql += fmt::format(" WHEN '{}' THEN {}", type, condition);
  return sql + " ELSE false END)";
}

std::string_view operator_of(Kind kind) { return kind == Kind::equal ? "=" : symbol(kind); }

std::string number_literal(const Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return fmt::format("'{}'::pg_catalog.numeric",
                     whole != nullptr ? fmt::to_string(*whole) : digits(std::get<double>(value)));
}

bool is_number(const Value& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

std::string text_literal(const Value& value) {
  return quoted_text(without_nul(std::get<std::string>(value)));
}

std::string compares_text(Kind kind, const std::string& field, const std::string& literal) {
  std::vector<std::pair<std::string, std::string>> cases = {
      {"string", fmt::format("{} {} {}", text_of(field), operator_of(kind), literal)}};
  if (kind == Kind::equal) cases.emplace_back("array", field + " ? " + literal);
  if (kind == Kind::not_equal) cases.emplace_back("array", "NOT (" + field + " ? " + literal + ")");
  return by_type(field, cases);
}

/// What is no number is not equal to any, and has no order.
std::string compares_number(Kind kind, const std::string& field, const std::string& literal) {
  std::vector<std::pair<std::string, std::string>> cases = {
      {"number", fmt::format("{}::pg_catalog.numeric {} {}", field, operator_of(kind), literal)}};
  if (kind == Kind::not_equal) cases.emplace_back("object", fmt::format("{} = '{}'", field, kNan));
  return by_type(field, cases);
}

std::string compares(Kind kind, const std::string& field, const Value& literal) {
  if (std::holds_alternative<std::string>(literal)) return compares_text(kind, field, text_literal(literal));
  if (is_number(literal)) return compares_number(kind, field, number_literal(literal));
  if (const auto* flag = std::get_if<bool>(&literal)) {
    return by_type(field,
                   {{"boolean", fmt::format("{}::pg_catalog.bool {} {}", field, operator_of(kind), *flag)}});
  }
  return by_type(field, {{"object", fmt::format("coalesce(({} ->> 'date')::pg_catalog.int8 {} {}, false)",
                                                field, operator_of(kind), std::get<Date>(literal).days)}});
}

/// Texts and numbers, of which there may be thousands, are one list each; the others are few.
std::string is_in(const std::string& field, const std::vector<Value>& literals) {
  std::vector<std::string> texts, numbers, any;
  for (const Value& literal : literals) {
    if (std::holds_alternative<std::string>(literal))
      texts.push_back(text_literal(literal));
    else if (is_number(literal))
      numbers.push_back(number_literal(literal));
    else
      any.push_back(compares(Kind::equal, field, literal));
  }
  std::vector<std::pair<std::string, std::string>> cases;
  if (!texts.empty()) {
    const std::string list = fmt::format("{}", fmt::join(texts, ", "));
    cases.emplace_back("string", text_of(field) + " IN (" + list + ")");
    cases.emplace_back("array", field + " ?| ARRAY[" + list + "]::pg_catalog.text[]");
  }
  if (!numbers.empty()) {
    cases.emplace_back("number",
                       fmt::format("{}::pg_catalog.numeric IN ({})", field, fmt::join(numbers, ", ")));
  }
  if (!cases.empty()) any.push_back(by_type(field, cases));
  return any.empty() ? "false" : fmt::format("({})", fmt::join(any, " OR "));
}

std::string begins(const std::string& field, const std::string& literal) {
  return by_type(field,
                 {{"string", fmt::format("pg_catalog.starts_with({}, {})", text_of(field), literal)},
                  {"array", fmt::format("EXISTS (SELECT FROM pg_catalog.jsonb_array_elements_text({}) AS "
                                        "item WHERE pg_catalog.starts_with(item, {}))",
                                        field, literal)}});
}

std::string sql_of(const Expression& expression) {
  std::vector<std::string> parts;
  for (const Expression& child : expression.children) parts.push_back(sql_of(child));
  switch (expression.kind) {
    case Kind::any_of:
      return fmt::format("({})", fmt::join(parts, " OR "));
    case Kind::all_of:
      return fmt::format("({})", fmt::join(parts, " AND "));
    case Kind::negation:
      return "(NOT " + parts.front() + ")";
    case Kind::exists:
      return "(" + field(expression) + " IS NOT NULL)";
    case Kind::in:
      return is_in(field(expression), expression.literals);
    case Kind::prefix:
      return begins(field(expression), text_literal(expression.literals.front()));
    default:
      return compares(expression.kind, field(expression), expression.literals.front());
  }
}

bool valid(const Expression& expression) {
  const auto fits = [](const Value& literal) {
    const auto* text = std::get_if<std::string>(&literal);
    return text == nullptr || utf8::valid(*text);
  };
  return utf8::valid(expression.field) && std::ranges::all_of(expression.literals, fits) &&
         std::ranges::all_of(expression.children, valid);
}

}  // namespace

std::string fields_json(const Metadata& fields) {
  std::vector<std::string> members;
  for (const auto& [name, value] : fields) members.push_back(json_text(name) + ":" + json_of(value));
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

std::optional<std::string> filter_sql(const Filter& filter) {
  if (filter.empty()) return "";
  if (!valid(*filter.expression())) return std::nullopt;
  return sql_of(*filter.expression());
}

std::string quoted_text(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string literal = escaped ? " E'" : "'";  // a blank: E may not lengthen a word before it
  for (const char c : text) {
    if (c == '\'' || c == '\\') literal += c;
    literal += c;
  }
  return literal + "'";
}

std::string quoted_name(std::string_view name) {
  std::string identifier = "\"";
  for (const char c : name) {
    if (c == '"') identifier += c;
    identifier += c;
  }
  return identifier + "\"";
}

}  // namespace hasten::postgres
