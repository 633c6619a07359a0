#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/filter.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// A parsed filter: a tree whose depth the parser bounds, so that recursion over it is safe.
struct Filter::Expression {
  enum class Kind {
    any_of,    ///< children joined by `or`
    all_of,    ///< children joined by `and`
    negation,  ///< `not` and one child
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,  ///< field and one literal
    in,             ///< field and any number of literals
    prefix,         ///< field and one string
    exists,         ///< field alone
  };
  Kind kind;
  std::vector<Expression> children;
  std::string field;
  std::vector<Value> literals;  ///< bool, int64, double, string or Date
};

/// @throws Error(invalid); `text` is not blank.
Filter::Expression parse_filter(std::string_view text);

/// How a field's value and a literal compare: numbers as one type, exactly; unordered where one is no
/// number. Nothing where they are of different types, and for lists.
std::optional<std::partial_ordering> compare(const Value& value, const Value& literal);

/// Whether a comparison (Kind::equal to greater_equal) is true of two values in this order.
bool holds(Filter::Expression::Kind comparison, std::partial_ordering order);
/// How a comparison is written: "==".
std::string_view symbol(Filter::Expression::Kind comparison);

/// The expression as text, with the parentheses it needs: it parses to the same again.
std::string to_string(const Filter::Expression& expression);

bool evaluate(const Filter::Expression& expression, const Metadata& fields);

}  // namespace hasten
