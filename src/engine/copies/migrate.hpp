#pragma once

#include <stop_token>

#include "hasten/settings.hpp"
#include "hasten/transfer.hpp"

namespace hasten {

/// @param settings  of the target, but for its stores.
MigrateReport migrate(const Location& from, const Location& to, Settings settings, const OnProgress& progress,
                      const std::stop_token& stop);

}  // namespace hasten
