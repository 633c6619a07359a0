#include "hasten/version.hpp"

namespace hasten {

std::string_view version() noexcept { return HASTEN_VERSION; }

}  // namespace hasten
