#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/nearest.hpp"
#include "hasten/error.hpp"

namespace hasten::config {

/// A settings file, whichever way it was written: its values, and the line of each by JSON pointer.
struct Source {
  std::string name;
  nlohmann::json values;
  std::map<std::string, std::size_t> lines;

  [[noreturn]] void fail(const std::string& pointer, const std::string& message) const;
};

// All of these throw Error(invalid) that names the place: "hasten.toml:3: bm25.b: takes ...".
Source parse_toml(std::string name, std::string_view text);
Source parse_json(std::string name, std::string_view text);

/// One value of the file, and where it stands there.
class Entry {
 public:
  Entry(const Source& source, const nlohmann::json& value, std::string pointer)
      : source_(source), value_(value), pointer_(std::move(pointer)) {}

  [[noreturn]] void fail(const std::string& message) const {
    source_.fail(pointer_, fmt::format("{}: {}", key(), message));
  }
  /// "groups.0.name" for people.
  std::string key() const {
    std::string dotted = pointer_.empty() ? "settings" : pointer_.substr(1);
    for (char& c : dotted)
      if (c == '/') c = '.';
    return dotted;
  }

  std::string text() const {
    if (!value_.is_string() || value_.get_ref<const std::string&>().empty()) fail("takes a text");
    return value_.get<std::string>();
  }
  std::uint64_t whole(std::uint64_t least) const {
    const bool fits =
        value_.is_number_unsigned() || (value_.is_number_integer() && value_.get<std::int64_t>() >= 0);
    if (!fits || value_.get<std::uint64_t>() < least)
      fail(fmt::format("takes a whole number of at least {}", least));
    return value_.get<std::uint64_t>();
  }
  bool flag() const {
    if (!value_.is_boolean()) fail("takes true or false");
    return value_.get<bool>();
  }
  double number(double least, double most) const {
    const double value = value_.is_number() ? value_.get<double>() : std::nan("");
    if (!(value >= least && value <= most))
      fail(std::isinf(least)  ? "takes a number"
           : std::isinf(most) ? fmt::format("takes a number of at least {}", least)
                              : fmt::format("takes a number from {} to {}", least, most));
    return value;
  }
  /// What `parse` makes of the text. @throws Error(invalid) what it throws, with the place.
  template <class Parse>
  auto parsed(Parse parse) const {
    const std::string words = text();
    try {
      return parse(words);
    } catch (const Error& error) {
      const std::string_view message = error.what();
      fail(std::string(message.substr(0, message.find('\n'))));  // a filter's points at its column below
    }
  }
  const nlohmann::json& json() const { return value_; }
  Entry member(const std::string& name) const { return {source_, value_.at(name), pointer_ + "/" + name}; }
  const nlohmann::json& table() const {
    if (!value_.is_object()) fail("takes a table");
    return value_;
  }
  const nlohmann::json& list(std::string_view of = "tables") const {
    if (!value_.is_array()) fail(fmt::format("takes a list of {}", of));
    return value_;
  }
  Entry item(std::size_t i) const { return {source_, value_.at(i), fmt::format("{}/{}", pointer_, i)}; }

 private:
  const Source& source_;
  const nlohmann::json& value_;
  std::string pointer_;
};

/// A known key of a table, and what it sets.
template <class Target>
struct Key {
  std::string_view name;
  void (*set)(Target&, const Entry&);
};

/// Sets everything that a table holds; a key that is not known is an error.
template <class Target, std::size_t n>
void read_table(Target& target, const Entry& entry, const Key<Target> (&keys)[n]) {
  std::array<std::string_view, n> names;
  for (std::size_t i = 0; i < n; ++i) names[i] = keys[i].name;
  for (const auto& [name, value] : entry.table().items()) {
    const auto known = std::find(names.begin(), names.end(), name);
    if (known == names.end()) {
      const std::string_view near = nearest(name, names);
      entry.member(name).fail(near.empty() ? fmt::format("unknown; known: {}", fmt::join(names, ", "))
                                           : fmt::format("unknown; did you mean '{}'?", near));
    }
    keys[known - names.begin()].set(target, entry.member(name));
  }
}

}  // namespace hasten::config
