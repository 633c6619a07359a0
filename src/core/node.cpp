#include "hasten/node.hpp"

#include <chrono>
#include <cstdlib>

#include <fmt/format.h>

namespace hasten {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The value of `text` when it is all decimal digits and not empty.
std::optional<unsigned> digits(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

/// Takes two digits of at most `max` off the front.
bool take_two(std::string_view& text, unsigned max) {
  const auto value = text.size() < 2 ? std::nullopt : digits(text.substr(0, 2));
  if (!value || *value > max) return false;
  text.remove_prefix(2);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes ".5" or ",25" off the front where it is there; false for a mark without digits.
bool take_fraction(std::string_view& text) {
  if (!take(text, '.') && !take(text, ',')) return true;
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  text.remove_prefix(n);
  return n > 0;
}

/// Takes "Z", "+02:00", "-0330", "+01" off the front where it is there.
bool take_zone(std::string_view& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return true;
  if (!take(text, '+') && !take(text, '-')) return false;
  if (!take_two(text, 23)) return false;
  take(text, ':');
  return text.empty() || take_two(text, 59);
}

/// Whether `text` is the time part of an ISO 8601 time stamp: "10:30", "10:30:59.5Z",
/// "103059+02:00".
bool is_time(std::string_view text) {
  if (!take_two(text, 24)) return false;
  const bool colons = take(text, ':');
  if (!take_two(text, 59)) return false;
  const bool seconds = colons ? take(text, ':') : !text.empty() && is_digit(text.front());
  if (seconds && !(take_two(text, 60) && take_fraction(text))) return false;
  take(text, ' ');
  return take_zone(text) && text.empty();
}

std::optional<std::uint64_t> hex_value(std::string_view text) {
  std::uint64_t value = 0;
  for (char c : text) {
    if (is_digit(c)) {
      value = value << 4 | static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | static_cast<std::uint64_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      value = value << 4 | static_cast<std::uint64_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace

std::optional<Date> Date::parse(std::string_view text) noexcept {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = digits(text.substr(0, 4));
  const auto month = digits(text.substr(5, 2));
  const auto day = digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  std::string_view rest = text.substr(10);
  const bool with_time = take(rest, 'T') || take(rest, 't') || take(rest, ' ');
  if (with_time ? !is_time(rest) : !rest.empty()) return std::nullopt;
  return Date{static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count())};
}

// std::chrono's calendar ends at the years +-32767; this one covers every Date.
// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
std::string Date::to_string() const {
  const std::int64_t shifted = std::int64_t{days} + 719468;  // days since 0000-03-01
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t day_of_era = shifted - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
  const std::int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{}{:04}-{:02}-{:02}", year < 0 ? "-" : "", std::abs(year), month, day);
}

std::string Id::to_string() const { return fmt::format("{:016x}{:016x}", high, low); }

std::optional<Id> Id::parse(std::string_view hex) noexcept {
  if (hex.size() != 32) return std::nullopt;
  const auto high = hex_value(hex.substr(0, 16));
  const auto low = hex_value(hex.substr(16));
  if (!high || !low) return std::nullopt;
  return Id{.high = *high, .low = *low};
}

}  // namespace hasten
