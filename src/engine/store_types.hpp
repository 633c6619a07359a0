#pragma once

#include <span>
#include <string_view>

namespace hasten {

/// The kinds of store that this build has.
std::span<const std::string_view> store_types() noexcept;

/// @throws Error(invalid) a type that this build does not have, naming those it has.
void check_store_type(std::string_view type);

}  // namespace hasten
