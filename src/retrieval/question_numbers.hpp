#pragma once

#include <string_view>
#include <vector>

#include "retrieval/question_features.hpp"

namespace hasten {

/// What is not a word of a number alone, but a unit behind one: "m", "day", 米.
bool is_unit(std::string_view word);

/// Gives numbers one form: number words and Chinese numerals become digits, a unit joins the number before
/// it, a date becomes year-month-day.
std::vector<QuestionToken> with_numbers(std::vector<QuestionToken> tokens);

}  // namespace hasten
