#pragma once

#include <initializer_list>
#include <string_view>

#include "hasten/node.hpp"

namespace hasten {

/// The first 128 bits of the SHA-256 of the parts, each preceded by its length.
Id id_of(std::initializer_list<std::string_view> parts);

/// One that no other is.
Id random_id();

}  // namespace hasten
