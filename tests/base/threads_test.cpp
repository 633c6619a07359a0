#include "base/threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "hasten/error.hpp"

namespace hasten {
namespace {

TEST(ParallelFor, CallsEachIndexOnce) {
  for (const std::size_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> calls(1000);
    parallel_for(calls.size(), threads, [&](std::size_t i) { ++calls[i]; });
    for (const auto& n : calls) EXPECT_EQ(n, 1);
  }
}

TEST(ParallelFor, TheFirstExceptionReachesTheCallerAndStopsTheRest) {
  std::atomic<int> calls{0};
  EXPECT_THROW(parallel_for(100'000, 4,
                            [&](std::size_t i) {
                              ++calls;
                              if (i == 10) throw std::runtime_error("ten");
                            }),
               std::runtime_error);
  EXPECT_LT(calls, 100'000);
}

TEST(ParallelFor, StopsWhenAsked) {
  std::stop_source source;
  std::atomic<int> calls{0};
  try {
    parallel_for(
        1'000'000, 2,
        [&](std::size_t) {
          if (++calls == 100) source.request_stop();
        },
        source.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
}

}  // namespace
}  // namespace hasten
