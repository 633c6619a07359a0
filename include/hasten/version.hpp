#pragma once

#include <string_view>

namespace hasten {

/// The version of the library that is loaded: "0.1.0".
std::string_view version() noexcept;

}  // namespace hasten
