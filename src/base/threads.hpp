#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

namespace hasten {

/// `wanted`, or one a core of this process's affinity mask where it is 0. At least 1.
std::size_t thread_count(std::size_t wanted = 0) noexcept;

/// Calls function(i) for every i < n on up to `threads` threads, in rising order of start. The first
/// exception stops the rest and reaches the caller. Throws Error(cancelled) when stop is requested.
void parallel_for(std::size_t n, std::size_t threads, const std::function<void(std::size_t)>& function,
                  std::stop_token stop = {});

}  // namespace hasten
