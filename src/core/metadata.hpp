#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "hasten/node.hpp"

namespace hasten {

/// For people and the command line: dates as "2026-11-22", numbers that are none (NaN, infinite) as
/// null. Invalid UTF-8 is replaced.
nlohmann::json to_json(const Metadata& metadata);

/// For storage, as JSON text: dates are told from strings, so that
/// decode_metadata(encode_metadata(m)) == m for texts that are valid UTF-8.
std::string encode_metadata(const Metadata& metadata);
/// @throws Error(damaged)
Metadata decode_metadata(std::string_view encoded);

/// A value from JSON, YAML front matter and the like: a string that is a date becomes a Date, an
/// array a list of strings (of its scalars); nothing for null and for objects.
std::optional<Value> value_from_json(const nlohmann::json& json);

}  // namespace hasten
