#include "core/kwargs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

const nlohmann::json kNone;

[[noreturn]] void refuse(const std::string& place, const nlohmann::json& value, std::string_view wanted) {
  throw Error(Code::invalid, fmt::format("{} must be {}, it is {}", place, wanted, value.dump()));
}

}  // namespace

Kwargs::Kwargs(const nlohmann::json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_null() && !object.is_object()) refuse(where_, object, "an object");
}

const nlohmann::json& Kwargs::value(std::string_view key) {
  known_.emplace_back(key);
  if (!object_.is_object()) return kNone;
  const auto found = object_.find(key);
  return found == object_.end() ? kNone : *found;
}

bool Kwargs::has(std::string_view key) { return !value(key).is_null(); }

std::string Kwargs::text(std::string_view key, std::string missing) {
  const nlohmann::json& found = value(key);
  if (found.is_null()) return missing;
  if (!found.is_string()) refuse(place(key), found, "a string");
  return found.get<std::string>();
}

std::int64_t Kwargs::integer(std::string_view key, std::int64_t missing, std::int64_t min, std::int64_t max) {
  const nlohmann::json& found = value(key);
  if (found.is_null()) return missing;
  const bool fits = found.is_number_integer() && !(found.is_number_unsigned() && found > INT64_MAX) &&
                    found >= min && found <= max;
  if (!fits) refuse(place(key), found, fmt::format("a whole number from {} to {}", min, max));
  return found.get<std::int64_t>();
}

double Kwargs::number(std::string_view key, double missing, double min, double max) {
  const nlohmann::json& found = value(key);
  if (found.is_null()) return missing;
  if (!found.is_number() || found < min || found > max) {
    refuse(place(key), found, fmt::format("a number from {} to {}", min, max));
  }
  return found.get<double>();
}

bool Kwargs::flag(std::string_view key, bool missing) {
  const nlohmann::json& found = value(key);
  if (found.is_null()) return missing;
  if (!found.is_boolean()) refuse(place(key), found, "true or false");
  return found.get<bool>();
}

Kwargs Kwargs::object(std::string_view key) { return {value(key), place(key)}; }

void Kwargs::done() const {
  if (!object_.is_object()) return;
  for (const auto& [key, _] : object_.items()) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    std::vector<std::string> known = known_;
    std::ranges::sort(known);
    const auto repeated = std::ranges::unique(known);
    known.erase(repeated.begin(), repeated.end());
    const std::vector<std::string_view> words(known.begin(), known.end());
    const std::string_view near = nearest(key, words);
    throw Error(Code::invalid, fmt::format("no setting {}{}; known: {}", place(key),
                                           near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                           fmt::join(known, ", ")));
  }
}

}  // namespace hasten
