#pragma once

#include <filesystem>
#include <string_view>

namespace hasten {

/// The folder of the library (or program) that this code is in.
std::filesystem::path library_folder();

/// A file that comes with the library: dictionaries, helper programs, modules. Looked for in
/// $HASTEN_DATA, then beside the library, then where an installation puts it relative to the library.
/// @throws Error(not_found) naming the places.
std::filesystem::path resource(std::string_view name);

}  // namespace hasten
