#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "hasten/node.hpp"

namespace hasten {

/// For people and the command line: dates as "2026-11-22". Invalid UTF-8 is replaced.
nlohmann::json to_json(const Metadata& metadata);

/// For storage: dates are told from strings, so that decode_metadata(encode_metadata(m)) == m.
std::string encode_metadata(const Metadata& metadata);
/// @throws Error(damaged)
Metadata decode_metadata(std::string_view encoded);

/// A value from JSON, YAML front matter and the like: a string that is a date becomes a Date, an
/// array of scalars a list of strings; nothing for null and for nested objects.
std::optional<Value> value_from_json(const nlohmann::json& json);

}  // namespace hasten
