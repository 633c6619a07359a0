#include "hasten/error.hpp"

#include <array>
#include <utility>

namespace hasten {
namespace {

constexpr std::array<std::pair<Code, std::string_view>, 17> kWords{{
    {Code::unsupported, "unsupported"},
    {Code::encrypted, "encrypted"},
    {Code::corrupt, "corrupt"},
    {Code::too_large, "too_large"},
    {Code::timeout, "timeout"},
    {Code::empty, "empty"},
    {Code::io, "io"},
    {Code::not_found, "not_found"},
    {Code::invalid, "invalid"},
    {Code::mismatch, "mismatch"},
    {Code::locked, "locked"},
    {Code::full, "full"},
    {Code::damaged, "damaged"},
    {Code::unavailable, "unavailable"},
    {Code::cancelled, "cancelled"},
    {Code::refused, "refused"},
    {Code::internal, "internal"},
}};

}  // namespace

std::string_view to_string(Code code) noexcept {
  for (const auto& [value, word] : kWords) {
    if (value == code) return word;
  }
  return "internal";
}

Code code_from_string(std::string_view word) noexcept {
  for (const auto& [value, name] : kWords) {
    if (name == word) return value;
  }
  return Code::internal;
}

}  // namespace hasten
