#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace hasten {

/// What went wrong, in one word. The command line, HTTP and Python use the same words.
enum class Code {
  // Files that cannot be read.
  unsupported,
  encrypted,
  corrupt,
  too_large,
  timeout,
  empty,
  io,
  // Everything else.
  not_found,
  invalid,
  mismatch,
  locked,
  full,
  damaged,
  unavailable,
  cancelled,
  refused,
  internal,
};

/// The word of a code: Code::not_found -> "not_found". Never fails.
std::string_view to_string(Code code) noexcept;

/// The code of a word, Code::internal for a word that is none.
Code code_from_string(std::string_view word) noexcept;

/// The one exception type. Its message says what was wrong, where, and what would be right:
/// `Error(Code::not_found, "no reader for '.xyz'; known: html, md, pdf")`.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

}  // namespace hasten
