#pragma once

#include <string>
#include <string_view>

#include "hasten/error.hpp"

namespace hasten::postgres {

/// What the server said: its words, and its SQLSTATE for who wants to act on one.
class SqlError : public Error {
 public:
  SqlError(std::string_view state, const std::string& words);
  const std::string& state() const noexcept { return state_; }

 private:
  std::string state_;
};

inline constexpr std::string_view kUndefinedTable = "42P01";
inline constexpr std::string_view kUndefinedSchema = "3F000";

/// The code of a SQLSTATE: Code::unavailable the connection or the server is gone or has no place,
/// Code::timeout it ended the statement, Code::full no room, Code::invalid a constraint of the data (unique,
/// foreign key, check), Code::refused every other.
Code code_of(std::string_view state) noexcept;

/// The SQLSTATE in libpq's verbose message of a connection that failed ("FATAL:  28P01: password ..."); ""
/// where the server was not reached. libpq 15 gives it in no other way.
std::string_view state_in(std::string_view message) noexcept;

}  // namespace hasten::postgres
