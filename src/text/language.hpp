#pragma once

#include <string_view>

namespace hasten {

/// The language a text is mostly written in, as ISO 639-1: told by script (zh, ja, ko, ru, ar, ...)
/// and, in Latin script, by common words (en, de, fr, es, ...). "und" when nothing tells.
std::string_view language_of(std::string_view text) noexcept;

}  // namespace hasten
