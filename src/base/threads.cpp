#include "base/threads.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "hasten/error.hpp"

namespace hasten {

std::size_t thread_count(std::size_t wanted) noexcept {
  if (wanted > 0) return wanted;
#ifdef __linux__
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&mask)));
  }
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t n, std::size_t threads, const std::function<void(std::size_t)>& function,
                  std::stop_token stop) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (std::size_t i; !failed && (i = next++) < n;) {
        if (stop.stop_requested()) throw Error(Code::cancelled, "stopped");
        function(i);
      }
    } catch (...) {
      std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      failed = true;
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t t = 1; t < std::min(threads, n); ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace hasten
