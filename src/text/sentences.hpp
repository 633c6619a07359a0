#pragma once

#include <string_view>
#include <vector>

#include "hasten/node.hpp"

namespace hasten {

/// The sentences of a text, English and Chinese ends known, in order, without the white space
/// around them; abbreviations, decimals and initials do not end one. A blank line always does.
/// Every non-space byte is in exactly one sentence.
std::vector<Span> sentences(std::string_view text);

}  // namespace hasten
