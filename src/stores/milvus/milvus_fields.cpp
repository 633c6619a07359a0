#include "stores/milvus/milvus_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "core/filter_expression.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using Expression = Filter::Expression;
using Kind = Expression::Kind;
using nlohmann::json;

constexpr std::size_t kFieldsMax = 65'536;  // bytes of JSON: common.JSONMaxLength of Milvus
constexpr std::size_t kLiteralsMax = 100;  // of one `in`: Milvus Lite knows none on JSON, they become an `or`
constexpr const char* kKeys = "keys";      // no field's: it has no colon
constexpr char kAnyType = 'e';             // in that list, of every field
constexpr double kExact = 9007199254740992.0;  // 2^53: below it whole numbers are doubles and back

std::string cut(const std::string& text) {
  const std::string whole = utf8::sanitise(text);
  return whole.size() <= kMilvusTextMax ? whole : whole.substr(0, utf8::floor_border(whole, kMilvusTextMax));
}

struct Kept {
  char type;
  json value;
};

/// An infinity stands as the largest number: no literal that is sent lies beyond.
Kept kept(double number) {
  if (std::isnan(number)) return {'x', true};
  constexpr double kMax = std::numeric_limits<double>::max();
  return {'n', std::clamp(number, -kMax, kMax)};
}
Kept kept(bool flag) { return {'b', flag}; }
Kept kept(std::int64_t number) { return {'n', number}; }
Kept kept(const std::string& text) { return {'s', cut(text)}; }
Kept kept(Date date) { return {'d', date.days}; }
Kept kept(const std::vector<std::string>& list) {
  json items = json::array();
  for (const std::string& item : list) items.push_back(cut(item));
  return {'l', items};
}

std::string key_of(std::string_view field, char type) { return fmt::format("{}:{}", field, type); }

/// A text in an expression; nothing where the servers may read it in two ways.
std::optional<std::string> literal_of(std::string_view text) {
  const bool control = std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  // A text that is cut keeps all but the last bytes of a character: it stays longer than each literal.
  if (control || text.size() + 4 > kMilvusTextMax || utf8::sanitise(text) != text) return std::nullopt;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// Names in a filter are words, but a word may hold any letter.
bool plain(std::string_view name) { return literal_of(name).has_value(); }

class Writer {
 public:
  explicit Writer(std::string_view column) : column_(column) {}

  std::optional<std::string> write(const Expression& expression) const {
    switch (expression.kind) {
      case Kind::any_of:
        return joined(expression, " or ");
      case Kind::all_of:
        return joined(expression, " and ");
      case Kind::negation: {
        const auto inner = write(expression.children.front());
        // Every part below says yes or no of every record, never "unknown": `not` is exact.
        return inner ? std::optional("not " + *inner) : std::nullopt;
      }
      default:
        return plain(expression.field) ? condition(expression) : std::nullopt;
    }
  }

 private:
  using Text = std::optional<std::string>;

  Text joined(const Expression& expression, std::string_view word) const {
    std::string out;
    for (const Expression& child : expression.children) {
      const Text part = write(child);
      if (!part) return std::nullopt;
      if (!out.empty()) out += word;
      out += *part;
    }
    return "(" + out + ")";
  }

  Text condition(const Expression& expression) const {
    switch (expression.kind) {
      case Kind::exists:
        return "(" + has(key_of(expression.field, kAnyType)) + ")";
      case Kind::prefix:
        return std::nullopt;  // of a list it asks each item: 2.3 cannot
      case Kind::in:
        return in(expression);
      default:
        return compared(expression.field, expression.kind, expression.literals.front());
    }
  }

  /// Whether the key is among those of the record.
  std::string has(std::string_view key) const {
    return fmt::format("json_contains({}[\"{}\"], {})", column_, kKeys, *literal_of(key));
  }
  std::string value(std::string_view key) const { return fmt::format("{}[{}]", column_, *literal_of(key)); }

  /// What holds for no record: `in []`, and below false.
  std::string nothing(std::string_view field) const {
    const std::string any = has(key_of(field, kAnyType));
    return fmt::format("({} and not {})", any, any);
  }

  Text in(const Expression& expression) const {
    if (expression.literals.size() > kLiteralsMax) return std::nullopt;
    std::string out;
    for (const Value& literal : expression.literals) {
      const Text one = compared(expression.field, Kind::equal, literal);
      if (!one) return std::nullopt;
      out += (out.empty() ? "" : " or ") + *one;
    }
    return out.empty() ? nothing(expression.field) : "(" + out + ")";
  }

  std::string typed(std::string_view field, char type, Kind kind, std::string_view literal) const {
    const std::string key = key_of(field, type);
    return fmt::format("({} and {} {} {})", has(key), value(key), symbol(kind), literal);
  }

  Text compared(std::string_view field, Kind kind, const Value& literal) const {
    if (const auto* text = std::get_if<std::string>(&literal)) return text_compared(field, kind, *text);
    if (const auto* date = std::get_if<Date>(&literal)) {
      return typed(field, 'd', kind, std::to_string(date->days));
    }
    if (const auto* flag = std::get_if<bool>(&literal)) return flag_compared(field, kind, *flag);
    if (const auto* whole = std::get_if<std::int64_t>(&literal)) {
      return number_compared(field, kind, static_cast<double>(*whole), std::to_string(*whole));
    }
    if (const auto* number = std::get_if<double>(&literal)) {
      return number_compared(field, kind, *number, fmt::format("{}", *number));
    }
    return std::nullopt;
  }

  Text text_compared(std::string_view field, Kind kind, const std::string& text) const {
    const Text literal = literal_of(text);
    if (!literal) return std::nullopt;
    const std::string of_text = typed(field, 's', kind, *literal);
    if (kind != Kind::equal && kind != Kind::not_equal) return of_text;
    const std::string list = key_of(field, 'l');
    return fmt::format("({} or ({} and {}json_contains({}, {})))", of_text, has(list),
                       kind == Kind::equal ? "" : "not ", value(list), *literal);
  }

  /// Servers know no order of truth values: there are two of each to name.
  Text flag_compared(std::string_view field, Kind kind, bool literal) const {
    std::string out;
    for (const bool there : {false, true}) {
      const auto order = compare(Value(there), Value(literal));
      if (!order || !holds(kind, *order)) continue;
      out += (out.empty() ? "" : " or ") + typed(field, 'b', Kind::equal, there ? "true" : "false");
    }
    return out.empty() ? nothing(field) : "(" + out + ")";
  }

  Text number_compared(std::string_view field, Kind kind, double number, const std::string& literal) const {
    // A number that a server rounds to a double stays on its side of a literal that is below 2^53.
    if (!(std::abs(number) < kExact)) return std::nullopt;
    const std::string of_number = typed(field, 'n', kind, literal);
    // Not a number: unequal to each, and nothing else.
    return kind == Kind::not_equal ? fmt::format("({} or {})", of_number, has(key_of(field, 'x')))
                                   : of_number;
  }

  std::string_view column_;
};

}  // namespace

std::string milvus_fields(const Metadata& fields) {
  json object = json::object();
  json keys = json::array();
  for (const auto& [field, value] : fields) {
    Kept one = std::visit([](const auto& plain) { return kept(plain); }, value);
    const std::string name = utf8::sanitise(field);
    const std::string key = key_of(name, one.type);
    keys.push_back(key);
    keys.push_back(key_of(name, kAnyType));
    object[key] = std::move(one.value);
  }
  object[kKeys] = std::move(keys);
  std::string text = object.dump();
  if (text.size() <= kFieldsMax) return text;
  throw Error(Code::refused, fmt::format("the fields of a node are {} bytes of JSON; Milvus takes {}",
                                         text.size(), kFieldsMax));
}

std::optional<std::string> milvus_filter(const Filter& filter, std::string_view column) {
  if (filter.empty()) return "";
  return Writer(column).write(*filter.expression());
}

}  // namespace hasten
