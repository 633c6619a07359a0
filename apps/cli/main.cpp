// The program `hasten`: parses the command line, has the engine do it, maps errors to exit codes.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <new>

#include "base/files.hpp"
#include "command_line.hpp"
#include "output.hpp"

namespace hasten::cli {
namespace {

using Clock = Trace::Clock;

/// CPU time since the process began: loading and linking, when asked first thing in main().
Clock::duration cpu_time_so_far() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

/// One line on stderr and, where JSON is asked for, an object on stdout.
Exit fail(Code code, std::string_view message, bool json) {
  if (json) print_json({{"error", to_string(code)}, {"message", message}});
  print_error(code, message);
  return exit_of(code);
}

Exit run_verb(const Command& command, Interrupts& interrupts, Clock::time_point main_began,
              Clock::duration before_main) {
  Context context{command.options, main_began - before_main, before_main, interrupts};
  try {
    try {
      return command.action(context);
    } catch (const std::filesystem::filesystem_error& error) {
      throw_as_error(error);
    }
  } catch (const Error& error) {
    // A library that was interrupted may report it as a failure of its own.
    const Code code = interrupts.requested() ? Code::cancelled : error.code();
    return fail(code, error.what(), command.options.json);
  }
}

Exit run(const std::vector<std::string>& arguments, Clock::time_point main_began,
         Clock::duration before_main) {
  const bool json = std::ranges::find(arguments, "--json") != arguments.end();
  try {
    Interrupts interrupts;
    const Command command = parse_command_line(arguments);
    Exit exit = Exit::done;
    if (command.action)
      exit = run_verb(command, interrupts, main_began, before_main);
    else
      print(command.text);
    flush_output();
    return exit;
  } catch (const OutputClosed&) {
    throw;
  } catch (const Error& error) {
    return fail(error.code(), error.what(), json);
  } catch (const std::bad_alloc&) {
    return fail(Code::full, "out of memory; a smaller --memory may help", json);
  } catch (const std::exception& error) {
    return fail(Code::internal, error.what(), json);
  }
}

}  // namespace
}  // namespace hasten::cli

int main(int argc, char** argv) {
  const auto main_began = hasten::Trace::Clock::now();
  const auto before_main = hasten::cli::cpu_time_so_far();
  using hasten::cli::Exit;
  try {
    const Exit exit = hasten::cli::run({argv + 1, argv + argc}, main_began, before_main);
    hasten::cli::flush_output();
    return static_cast<int>(exit);
  } catch (const hasten::cli::OutputClosed&) {
    return static_cast<int>(Exit::done);  // whoever read has seen enough
  } catch (const hasten::Error& error) {  // stdout is full: nothing can be said there
    hasten::cli::print_error(error.code(), error.what());
    return static_cast<int>(Exit::failed);
  }
}
