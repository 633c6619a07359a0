#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hasten/node.hpp"

namespace hasten {

/// A condition on fields: `lang == "zh" and year >= 2020 and not (tag in ["a", "b"])`.
///
/// Comparisons `== != < <= > >=`, `in [..]` (of a list field: any of them), `prefix(path, "docs/")`,
/// `exists(field)`; `not` binds before `and`, `and` before `or`; parentheses. Strings in double
/// quotes with \" and \\, numbers, true, false, date("2026-11-22"). A missing field, and a field of
/// another type than the literal (numbers are one type), is false in every comparison, `!=` too.
/// On a list field `==` asks whether the list holds the literal, `!=` whether it does not.
/// Immutable and thread-safe; copying shares the parsed form. The grammar stands in docs/filters.md.
class Filter {
 public:
  /// The filter that everything passes.
  Filter() = default;

  /// @throws Error(invalid) that points at the offending column and says what was expected there.
  static Filter parse(std::string_view expression);

  bool matches(const Metadata& fields) const;
  bool empty() const noexcept { return root_ == nullptr; }
  /// The expression it was parsed from.
  const std::string& to_string() const noexcept { return expression_; }

  struct Expression;  ///< the parsed tree; opaque
  /// Null for the filter that everything passes.
  const Expression* expression() const noexcept { return root_.get(); }

 private:
  std::shared_ptr<const Expression> root_;  // shared: immutable, and filters are copied freely
  std::string expression_;
};

}  // namespace hasten
