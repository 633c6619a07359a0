#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hasten/filter.hpp"
#include "hasten/node.hpp"

namespace hasten::postgres {

// Fields as JSON that PostgreSQL keeps as jsonb, and filters as SQL over it. Both are written so that a
// comparison there gives what it gives here, for every value:
//   - Numbers are numeric there, of any length: whole ones as they are, others in all digits of the double's
//     exact value, infinities as +-1e400, beyond every double; what is no number as {"number": "nan"}.
//   - Dates are {"date": days}, so that no string is taken for one.
//   - jsonb knows no U+0000: it is written as U+0001 U+0001, and U+0001 as U+0001 U+0002. That keeps the
//   order,
//     the prefixes and the equality of strings.

/// Texts that are no valid UTF-8 have U+FFFD in the place of what is none, as in the truth.
std::string fields_json(const Metadata& fields);

/// A condition over the jsonb column `fields`, in parentheses, never null. Texts stand in it as quoted
/// literals, so that none can end its quotes. Nothing where a text of it is no valid UTF-8.
std::optional<std::string> filter_sql(const Filter& filter);

/// A text as a literal, whichever standard_conforming_strings; without NUL.
std::string quoted_text(std::string_view text);
/// A name as an identifier: "a""b".
std::string quoted_name(std::string_view name);

}  // namespace hasten::postgres
