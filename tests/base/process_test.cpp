#include "base/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using Clock = Process::Clock;
using namespace std::chrono_literals;

std::string read_all(Process& process) {
  std::string all;
  while (const auto part = process.read(4096, Clock::now() + 10s)) {
    if (part->empty()) return all;
    all += *part;
  }
  ADD_FAILURE() << "the child was silent for ten seconds";
  return all;
}

TEST(Process, SpeaksThroughItsPipes) {
  Process cat("cat", {}, {});
  cat.write("one");
  EXPECT_EQ(cat.read(100, Clock::now() + 10s), "one");
  cat.write("two");
  cat.close_input();
  EXPECT_EQ(read_all(cat), "two");
  EXPECT_EQ(cat.wait(), 0);
  EXPECT_EQ(cat.wait(), 0);
  EXPECT_FALSE(cat.running());
}

struct Case {
  const char* script;
  const char* output;
  int code;
};

TEST(Process, EndsAndOutput) {
  const Case cases[] = {
      {"exit 7", "", 7},
      {"kill -TERM $$", "", 128 + SIGTERM},
      {"echo $HASTEN_PROCESS_TEST", "set\n", 0},
      {"echo out; echo err >&2", "out\n", 0},
      {"ulimit -v", "1048576\n", 0},
      {"ulimit -t", "5\n", 0},
  };
  Process::Options options;
  options.environment = {{"HASTEN_PROCESS_TEST", "set"}};
  options.memory_bytes_max = std::uint64_t{1} << 30;
  options.cpu_seconds_max = 5;
  for (const auto& [script, output, code] : cases) {
    Process shell("/bin/sh", {"-c", script}, options);
    EXPECT_EQ(read_all(shell), output) << script;
    EXPECT_EQ(shell.wait(), code) << script;
  }
}

TEST(Process, StderrGoesWhereItIsSent) {
  Process::Options options;
  options.stderr_to = Process::Stderr::to_stdout;
  Process shell("/bin/sh", {"-c", "echo out; echo err >&2"}, options);
  EXPECT_EQ(read_all(shell), "out\nerr\n");
}

TEST(Process, AProgramThatIsNotThereIsNotFound) {
  for (const char* program : {"/nowhere/program", "no-such-program-anywhere"}) {
    try {
      Process process(program, {}, {});
      ADD_FAILURE() << program << " was started";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::not_found) << error.what();
    }
  }
}

TEST(Process, NoAnswerByTheDeadlineIsNothing) {
  Process sleeper("sleep", {"100"}, {});
  const auto began = Clock::now();
  EXPECT_EQ(sleeper.read(10, began + 50ms), std::nullopt);
  EXPECT_LT(Clock::now() - began, 10s);
  EXPECT_TRUE(sleeper.running());
  sleeper.kill();
  EXPECT_EQ(sleeper.wait(), 128 + SIGKILL);
}

TEST(Process, WritingToOneThatEndedIsAnErrorAndNoSignal) {
  Process process("true", {}, {});
  process.wait();
  EXPECT_THROW(process.write("text"), Error);
}

TEST(Process, WritingToOneThatDoesNotReadTimesOut) {
  Process sleeper("sleep", {"100"}, {});
  try {
    sleeper.write(std::string(8 << 20, 'x'), Clock::now() + 50ms);
    ADD_FAILURE() << "eight megabytes fitted into a pipe";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::timeout);
  }
}

TEST(Process, EndsWithTheThreadThatStartedItOnlyIfAsked) {
  for (const bool ends : {true, false}) {
    Process::Options options;
    options.ends_with_thread = ends;
    std::unique_ptr<Process> process;
    std::thread([&] {
      process = std::make_unique<Process>("sleep", std::vector<std::string>{"100"}, options);
    }).join();
    const auto deadline = Clock::now() + (ends ? 10s : 100ms);
    while (process->running() && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(process->running(), !ends);
  }
}

TEST(Process, TheDestructorEndsIt) {
  pid_t id = -1;
  {
    const Process sleeper("sleep", {"100"}, {});
    id = sleeper.id();
  }
  EXPECT_NE(::kill(id, 0), 0);
}

}  // namespace
}  // namespace hasten
