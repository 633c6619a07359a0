#pragma once

#include <string_view>

#include "core/store_module.hpp"

namespace hasten {

/// The module of a type of store. It is opened the first time that it is asked for, and never closed.
/// Thread-safe.
/// @throws Error(unavailable) it is not installed, cannot be loaded, is no such module, or one of another
/// build.
const StoreModule& store_module(std::string_view type);

}  // namespace hasten
