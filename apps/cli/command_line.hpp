#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verbs.hpp"

namespace hasten::cli {

/// A command line, understood: a verb to run with its options, or a text to print instead (--help,
/// --version).
struct Command {
  Options options;
  Action action;
  std::string text;  ///< set instead of the action
};

/// @param arguments  without the program's name.
/// @throws Error(invalid) wrong use, with the nearest known word.
Command parse_command_line(const std::vector<std::string>& arguments);

}  // namespace hasten::cli
