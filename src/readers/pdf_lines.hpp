#pragma once

#include <string>
#include <string_view>

namespace hasten {

/// The lines of a printed page as text: without the spaces at their ends, with at most one empty
/// line in a row, and with words of Chinese and Japanese whole again. There a line is broken
/// anywhere, also within a word, and shows nothing for it: a full line (as long as the longest
/// around it) whose next one goes on in these scripts is joined to it. Other scripts break between
/// words and stay as they are.
std::string join_lines(std::string_view page);

}  // namespace hasten
