#include "stores/postgres/errors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace hasten::postgres {

SqlError::SqlError(std::string_view state, const std::string& words)
    : Error(code_of(state), fmt::format("postgres: {} (SQLSTATE {})", words, state)), state_(state) {}

Code code_of(std::string_view state) noexcept {
  if (state == "57014") return Code::timeout;      // query_canceled: statement_timeout, or an administrator
  if (state == "53300") return Code::unavailable;  // too_many_connections: one may be free the next time
  if (state.starts_with("08") || state.starts_with("57P")) return Code::unavailable;
  if (state.starts_with("53")) return Code::full;
  if (state.starts_with("23")) return Code::invalid;
  return Code::refused;
}

std::string_view state_in(std::string_view message) noexcept {
  const auto part_of_state = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  constexpr std::string_view kBefore = ":  ";
  for (auto at = message.find(kBefore); at != std::string_view::npos; at = message.find(kBefore, at + 1)) {
    const std::string_view state = message.substr(at + kBefore.size(), 5);
    if (state.size() == 5 && message.substr(at + kBefore.size() + 5).starts_with(": ") &&
        std::ranges::all_of(state, part_of_state)) {
      return state;
    }
  }
  return {};
}

}  // namespace hasten::postgres
