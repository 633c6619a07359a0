#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/resources.hpp"
#include "hasten/error.hpp"

namespace hasten {

/// The real program, running.
class Command {
 public:
  /// @param before  what it is run by: {"nsenter", …}. @param arguments  of `hasten`; --json is added.
  explicit Command(std::vector<std::string> arguments, std::vector<std::string> before = {}) {
    before.push_back(library_folder() / "hasten");
    before.insert(before.end(), arguments.begin(), arguments.end());
    before.insert(before.end(), {"--json", "--quiet"});
    process_ = std::make_unique<Process>(
        before.front(), std::vector<std::string>(before.begin() + 1, before.end()), Process::Options{});
  }

  bool running() { return process_->running(); }
  void signal(int number) { ::kill(process_->id(), number); }
  pid_t id() const { return process_->id(); }

  /// Waits for its end. What it said last is its answer: an object, or an error's.
  nlohmann::json answer() {
    std::string said;
    while (const auto more = process_->read(1 << 16, Process::Clock::time_point::max())) {
      if (more->empty()) break;
      said += *more;
    }
    code_ = process_->wait();
    while (said.ends_with('\n')) said.pop_back();
    const auto line = said.substr(said.rfind('\n') + 1);
    return line.empty() ? nlohmann::json::object() : nlohmann::json::parse(line);
  }
  /// After answer(): the exit code, or 128 + the signal.
  int code() const { return code_; }

 private:
  std::unique_ptr<Process> process_;
  int code_ = -1;
};

/// Runs it, and expects that it ends well.
inline nlohmann::json run(std::vector<std::string> arguments, std::vector<std::string> before = {}) {
  Command command(arguments, std::move(before));
  nlohmann::json answer = command.answer();
  EXPECT_EQ(command.code(), 0) << ::testing::PrintToString(arguments) << ": " << answer;
  return answer;
}

/// Runs it, and expects that it fails in this way. @return its words.
inline std::string run_failing(std::string_view code, std::vector<std::string> arguments) {
  Command command(arguments);
  const nlohmann::json answer = command.answer();
  EXPECT_EQ(answer.value("error", "none"), code) << ::testing::PrintToString(arguments) << ": " << answer;
  EXPECT_NE(command.code(), 0);
  return answer.value("message", "");
}

}  // namespace hasten
