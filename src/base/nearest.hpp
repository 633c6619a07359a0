#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace hasten {

/// How many insertions, deletions, replacements and swaps of neighbours turn one word into the
/// other (bytes). Source: Damerau 1964; the restricted form, "optimal string alignment".
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that a mistyped one most likely meant: at most a third of its letters differ
/// (one at least may), or it begins so. Empty: none is near. Ties go to the first.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace hasten
