#include "core/metadata.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

// In storage, what JSON cannot say is an object of one key: {"date": days}, {"number": "inf"}.
constexpr const char* kDate = "date";
constexpr const char* kNumber = "number";

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang 16 deduces no aggregates

json list_to_json(const std::vector<std::string>& list) {
  json array = json::array();
  for (const std::string& item : list) array.push_back(utf8::sanitise(item));
  return array;
}

json value_to_json(const Value& value) {
  return std::visit(
      Overloaded{[](bool flag) { return json(flag); }, [](std::int64_t number) { return json(number); },
                 [](double number) { return std::isfinite(number) ? json(number) : json(); },
                 [](const std::string& text) { return json(utf8::sanitise(text)); },
                 [](Date date) { return json(date.to_string()); },
                 [](const std::vector<std::string>& list) { return list_to_json(list); }},
      value);
}

json encode_double(double number) {
  if (std::isfinite(number)) return number;
  return {{kNumber, std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf"}};
}

json encode_value(const Value& value) {
  return std::visit(Overloaded{[](double number) { return encode_double(number); },
                               [](Date date) {
                                 return json{{kDate, date.days}};
                               },
                               [](const auto& plain) { return json(plain); }},
                    value);
}

std::optional<double> decode_double(const json& word) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (word == "inf") return kInfinity;
  if (word == "-inf") return -kInfinity;
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

std::optional<Value> decode_object(const json& object) {
  if (object.size() != 1) return std::nullopt;
  if (const auto date = object.find(kDate); date != object.end() && date->is_number_integer()) {
    return Date{date->get<std::int32_t>()};
  }
  if (const auto number = object.find(kNumber); number != object.end()) {
    if (const auto value = decode_double(*number)) return *value;
  }
  return std::nullopt;
}

std::optional<Value> decode_list(const json& array) {
  std::vector<std::string> list;
  list.reserve(array.size());
  for (const json& item : array) {
    if (!item.is_string()) return std::nullopt;
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::optional<Value> decode_value(const json& value) {
  switch (value.type()) {
    case json::value_t::boolean:
      return value.get<bool>();
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return value.get<std::int64_t>();
    case json::value_t::number_float:
      return value.get<double>();
    case json::value_t::string:
      return value.get<std::string>();
    case json::value_t::array:
      return decode_list(value);
    case json::value_t::object:
      return decode_object(value);
    default:
      return std::nullopt;
  }
}

/// A scalar as an item of a list field; nothing for null, arrays and objects.
std::optional<std::string> item_from_json(const json& item) {
  if (item.is_string()) return item.get<std::string>();
  if (item.is_primitive() && !item.is_null()) return item.dump();
  return std::nullopt;
}

Value number_from_json(const json& number) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const bool fits = number.is_number_integer() &&
                    !(number.is_number_unsigned() && number.get<std::uint64_t>() > std::uint64_t{kMax});
  return fits ? Value(number.get<std::int64_t>()) : Value(number.get<double>());
}

Value string_from_json(const json& string) {
  const auto& text = string.get_ref<const std::string&>();
  if (const auto date = Date::parse(text)) return *date;
  return text;
}

}  // namespace

json to_json(const Metadata& metadata) {
  json object = json::object();
  for (const auto& [field, value] : metadata) object[utf8::sanitise(field)] = value_to_json(value);
  return object;
}

std::string encode_metadata(const Metadata& metadata) {
  json object = json::object();
  for (const auto& [field, value] : metadata) object[field] = encode_value(value);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Metadata decode_metadata(std::string_view encoded) {
  const json object = json::parse(encoded, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    throw Error(Code::damaged, "stored metadata: expected a JSON object of fields");
  }
  Metadata metadata;
  for (const auto& [field, value] : object.items()) {
    auto decoded = decode_value(value);
    if (!decoded) {
      throw Error(Code::damaged, fmt::format("stored metadata: field '{}' holds no known type of "
                                             "value: {}",
                                             field, value.dump().substr(0, 80)));
    }
    metadata.emplace(field, *std::move(decoded));
  }
  return metadata;
}

std::optional<Value> value_from_json(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return number_from_json(value);
  if (value.is_string()) return string_from_json(value);
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> list;
  for (const json& item : value) {
    if (auto text = item_from_json(item)) list.push_back(*std::move(text));
  }
  return list;
}

}  // namespace hasten
