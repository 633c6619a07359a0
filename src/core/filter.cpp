#include "hasten/filter.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <optional>
#include <type_traits>

#include "base/utf8.hpp"
#include "core/filter_expression.hpp"

namespace hasten {
namespace {

using Kind = Filter::Expression::Kind;
using List = std::vector<std::string>;

/// Exact for every pair: an int64 need not have a double of its value.
std::partial_ordering compare_numbers(std::int64_t a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  constexpr double kTwo63 = 9223372036854775808.0;
  if (b >= kTwo63) return std::partial_ordering::less;
  if (b < -kTwo63) return std::partial_ordering::greater;
  const double whole = std::floor(b);
  const auto order = a <=> static_cast<std::int64_t>(whole);
  return order == 0 && b > whole ? std::partial_ordering::less : std::partial_ordering(order);
}

std::partial_ordering reversed(std::partial_ordering order) { return 0 <=> order; }

/// A list holds a string or does not; it has no order, and no other type of literal.
bool list_holds(Kind kind, const List& list, const Value& literal) {
  const auto* text = std::get_if<std::string>(&literal);
  if (text == nullptr) return false;
  const bool found = std::find(list.begin(), list.end(), *text) != list.end();
  return (kind == Kind::equal && found) || (kind == Kind::not_equal && !found);
}

bool compares(Kind kind, const Value& value, const Value& literal) {
  if (const auto* list = std::get_if<List>(&value)) return list_holds(kind, *list, literal);
  const auto order = compare(value, literal);
  return order && holds(kind, *order);
}

bool begins_with(const Value& value, const std::string& prefix) {
  const auto begins = [&](const std::string& text) { return text.starts_with(prefix); };
  if (const auto* text = std::get_if<std::string>(&value)) return begins(*text);
  const auto* list = std::get_if<List>(&value);
  return list != nullptr && std::any_of(list->begin(), list->end(), begins);
}

bool field_matches(const Filter::Expression& expression, const Value& value) {
  const auto& literals = expression.literals;
  switch (expression.kind) {
    case Kind::exists:
      return true;
    case Kind::prefix:
      return begins_with(value, std::get<std::string>(literals.front()));
    case Kind::in:
      return std::any_of(literals.begin(), literals.end(),
                         [&](const Value& literal) { return compares(Kind::equal, value, literal); });
    default:
      return compares(expression.kind, value, literals.front());
  }
}

}  // namespace

bool holds(Filter::Expression::Kind kind, std::partial_ordering order) {
  switch (kind) {
    case Kind::equal:
      return std::is_eq(order);
    case Kind::not_equal:
      return std::is_neq(order);
    case Kind::less:
      return std::is_lt(order);
    case Kind::less_equal:
      return std::is_lteq(order);
    case Kind::greater:
      return std::is_gt(order);
    case Kind::greater_equal:
      return std::is_gteq(order);
    default:
      return false;
  }
}

std::optional<std::partial_ordering> compare(const Value& value, const Value& literal) {
  using Order = std::optional<std::partial_ordering>;
  return std::visit(
      [](const auto& a, const auto& b) -> Order {
        using A = std::decay_t<decltype(a)>;
        using B = std::decay_t<decltype(b)>;
        if constexpr (std::is_same_v<A, List> || std::is_same_v<B, List>) {
          return std::nullopt;
        } else if constexpr (std::is_same_v<A, B>) {
          return a <=> b;
        } else if constexpr (std::is_same_v<A, std::int64_t> && std::is_same_v<B, double>) {
          return compare_numbers(a, b);
        } else if constexpr (std::is_same_v<A, double> && std::is_same_v<B, std::int64_t>) {
          return reversed(compare_numbers(b, a));
        } else {
          return std::nullopt;
        }
      },
      value, literal);
}

bool evaluate(const Filter::Expression& expression, const Metadata& fields) {
  const auto& children = expression.children;
  const auto child_matches = [&](const auto& child) { return evaluate(child, fields); };
  switch (expression.kind) {
    case Kind::any_of:
      return std::any_of(children.begin(), children.end(), child_matches);
    case Kind::all_of:
      return std::all_of(children.begin(), children.end(), child_matches);
    case Kind::negation:
      return !child_matches(children.front());
    default:
      break;
  }
  const auto field = fields.find(expression.field);
  return field != fields.end() && field_matches(expression, field->second);
}

Filter Filter::parse(std::string_view expression) {
  Filter filter;
  if (utf8::trim(expression).empty()) return filter;
  filter.root_ = std::make_shared<const Expression>(parse_filter(expression));
  filter.expression_ = expression;
  return filter;
}

bool Filter::matches(const Metadata& fields) const { return root_ == nullptr || evaluate(*root_, fields); }

}  // namespace hasten
