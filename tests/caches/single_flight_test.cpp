#include "caches/single_flight.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hasten {
namespace {

using std::chrono::milliseconds;

/// Returns when it is true, or after ten seconds.
template <class Condition>
void await(const Condition& condition) {
  for (int i = 0; i < 10'000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(1));
}

TEST(SingleFlight, EqualRequestsAtATimeAreMadeOnce) {
  SingleFlight<std::string> flights;
  std::atomic<int> made = 0, entered = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = t % 2 == 0 ? "even" : "odd";
      ++entered;
      const std::string value = flights.run(key, [&] {
        ++made;
        await([&] { return entered == 16; });
        std::this_thread::sleep_for(milliseconds(50));
        return "of " + key;
      });
      EXPECT_EQ(value, "of " + key);
    });
  }
  threads.clear();
  EXPECT_EQ(made, 2);
  EXPECT_EQ(flights.run("even", [] { return std::string("made anew"); }), "made anew");
}

TEST(SingleFlight, AnErrorReachesAllThatWaited) {
  SingleFlight<int> flights;
  std::atomic<int> made = 0, entered = 0, thrown = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      ++entered;
      try {
        flights.run("k", [&]() -> int {
          ++made;
          await([&] { return entered == 8; });
          std::this_thread::sleep_for(milliseconds(50));
          throw Error(Code::unavailable, "no model");
        });
      } catch (const Error& error) {
        thrown += error.code() == Code::unavailable;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(thrown, 8);
  EXPECT_EQ(flights.run("k", [] { return 7; }), 7);
}

TEST(SingleFlight, OneOfThoseWhoWaitLeadsWhereTheLeaderIsCancelled) {
  SingleFlight<int> flights;
  std::atomic<int> made = 0, entered = 0, cancelled = 0, got = 0;
  std::stop_source stop;
  std::jthread leader([&] {
    try {
      flights.run(
          "k",
          [&]() -> int {
            ++made;
            await([&] { return stop.stop_requested(); });
            throw Error(Code::cancelled, "stopped");
          },
          stop.get_token());
    } catch (const Error& error) {
      cancelled += error.code() == Code::cancelled;
    }
  });
  await([&] { return made == 1; });
  std::vector<std::jthread> followers;
  for (int t = 0; t < 6; ++t) {
    followers.emplace_back([&] {
      ++entered;
      got += flights.run("k", [&] {
        ++made;
        std::this_thread::sleep_for(milliseconds(50));
        return 7;
      });
    });
  }
  await([&] { return entered == 6; });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(made, 1);
  stop.request_stop();
  followers.clear();
  leader.join();
  EXPECT_EQ(cancelled, 1);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(got, 6 * 7);
}

TEST(SingleFlight, WhoWaitsMayLeave) {
  SingleFlight<int> flights;
  std::atomic<bool> may_end = false, leads = false;
  std::jthread leader([&] {
    EXPECT_EQ(flights.run("k",
                          [&] {
                            leads = true;
                            await([&] { return may_end.load(); });
                            return 7;
                          }),
              7);
  });
  await([&] { return leads.load(); });
  std::stop_source stop;
  std::jthread follower([&] {
    try {
      flights.run(
          "k", [] { return 8; }, stop.get_token());
      ADD_FAILURE() << "it waited to the end";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::cancelled);
    }
    may_end = true;
  });
  std::this_thread::sleep_for(milliseconds(30));
  stop.request_stop();
}

TEST(SingleFlight, ManyThreadsManyKeys) {
  SingleFlight<int> flights;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3000; ++i) {
        const int key = i % 3;
        EXPECT_EQ(flights.run(std::to_string(key), [key] { return key; }), key);
      }
    });
  }
}

}  // namespace
}  // namespace hasten
