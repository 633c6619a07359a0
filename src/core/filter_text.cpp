#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/filter_expression.hpp"

namespace hasten {
namespace {

using Kind = Filter::Expression::Kind;

std::string quoted(const std::string& text) {
  std::string escaped = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped + '"';
}

/// A real keeps a point or an exponent, so that it is read as one again.
std::string real_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? fmt::format("{}.0", text) : text;
}

struct LiteralText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return real_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(Date value) const { return fmt::format("date(\"{}\")", value.to_string()); }
  std::string operator()(const std::vector<std::string>&) const { return "[]"; }  // no literal is one
};

/// Children that bind less than what they stand in are put in parentheses.
std::string child_text(const Filter::Expression& child, Kind parent) {
  const bool loose = child.kind == Kind::any_of || child.kind == Kind::all_of;
  const bool same = child.kind == Kind::all_of && parent == Kind::any_of;
  return loose && !same ? fmt::format("({})", to_string(child)) : to_string(child);
}

std::string joined(const Filter::Expression& expression, std::string_view separator) {
  std::vector<std::string> parts;
  for (const auto& child : expression.children) parts.push_back(child_text(child, expression.kind));
  return fmt::format("{}", fmt::join(parts, separator));
}

}  // namespace

std::string_view symbol(Filter::Expression::Kind kind) {
  switch (kind) {
    case Kind::equal:
      return "==";
    case Kind::not_equal:
      return "!=";
    case Kind::less:
      return "<";
    case Kind::less_equal:
      return "<=";
    case Kind::greater:
      return ">";
    default:
      return ">=";
  }
}

std::string to_string(const Filter::Expression& expression) {
  std::vector<std::string> literals;
  for (const Value& literal : expression.literals) literals.push_back(std::visit(LiteralText(), literal));
  switch (expression.kind) {
    case Kind::any_of:
      return joined(expression, " or ");
    case Kind::all_of:
      return joined(expression, " and ");
    case Kind::negation:
      return "not " + child_text(expression.children.front(), Kind::negation);
    case Kind::exists:
      return fmt::format("exists({})", expression.field);
    case Kind::prefix:
      return fmt::format("prefix({}, {})", expression.field, literals.front());
    case Kind::in:
      return fmt::format("{} in [{}]", expression.field, fmt::join(literals, ", "));
    default:
      return fmt::format("{} {} {}", expression.field, symbol(expression.kind), literals.front());
  }
}

}  // namespace hasten
