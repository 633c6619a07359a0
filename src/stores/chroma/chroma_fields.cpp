#include "stores/chroma/chroma_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string_view>

#include "base/hashing.hpp"
#include "base/utf8.hpp"
#include "core/filter_expression.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using Kind = Filter::Expression::Kind;
using List = std::vector<std::string>;

constexpr std::size_t kTextBytesMax = 64;
constexpr double kTwo53 = 9007199254740992.0;
constexpr std::size_t kComparisonsMax = 1000;
// The server reads JSON of 128 levels, of which `and` and `or` take two each.
constexpr std::size_t kDepthMax = 50;

// In JSON there is only UTF-8.
std::string short_text(std::string_view text) {
  if (text.size() <= kTextBytesMax && utf8::valid(text)) return fmt::format("s{}", text);
  return fmt::format("h{}", sha256_hex(text));
}

std::string number_text(double value) {
  const bool whole = value == std::floor(value) && value >= -0x1p63 && value < 0x1p63;
  return whole ? fmt::format("{}", static_cast<std::int64_t>(value)) : fmt::format("{}", value);
}

/// The words about one field.
class Words {
 public:
  explicit Words(std::string_view field) : name_(short_text(field)) {}

  std::string kind(char kind) const { return fmt::format("{}:{}{}", name_.size(), name_, kind); }
  std::string equal(const std::string& value) const { return kind('=') + value; }
  /// The key of the numbers for < and >.
  std::string range(char kind) const { return fmt::format("{}:{}", kind, name_); }

 private:
  std::string name_;
};

// Kinds: t text or list, n number, N not a number, b boolean, d date.
constexpr std::string_view kKinds = "tnNbd";

std::string equal_text(bool value) { return value ? "b1" : "b0"; }
std::string equal_text(std::int64_t value) { return fmt::format("n{}", value); }
std::string equal_text(double value) { return fmt::format("n{}", number_text(value)); }
std::string equal_text(const std::string& value) { return fmt::format("t{}", short_text(value)); }
std::string equal_text(Date value) { return fmt::format("d{}", value.days); }

/// Writes what a record's metadata says about a field.
struct FieldWriter {
  json& metadata;
  std::set<std::string>& words;
  Words field;

  void operator()(bool value) { write('b', value); }
  void operator()(std::int64_t value) {
    write('n', value);
    metadata[field.range('n')] = static_cast<double>(value);
  }
  void operator()(double value) {
    if (std::isnan(value)) {
      words.insert(field.kind('N'));
      return;
    }
    write('n', value);
    // JSON has no infinity; nothing is compared with numbers as large as this.
    metadata[field.range('n')] = std::clamp(value, -DBL_MAX, DBL_MAX);
  }
  void operator()(const std::string& value) { write('t', value); }
  void operator()(Date value) {
    write('d', value);
    metadata[field.range('d')] = value.days;
  }
  void operator()(const List& values) {
    words.insert(field.kind('t'));
    for (const std::string& value : values) write('t', value);
  }

 private:
  template <class T>
  void write(char kind, const T& value) {
    words.insert(field.kind(kind));
    words.insert(field.equal(equal_text(value)));
  }
};

json has(const std::string& word) { return {{"fields", {{"$contains", word}}}}; }
json lacks(const std::string& word) { return {{"fields", {{"$not_contains", word}}}}; }
json all_of(json children) { return {{"$and", std::move(children)}}; }
json any_of(json children) { return {{"$or", std::move(children)}}; }

char kind_of(const Value& literal) {
  struct Visitor {
    char operator()(bool) { return 'b'; }
    char operator()(std::int64_t) { return 'n'; }
    char operator()(double) { return 'n'; }
    char operator()(const std::string&) { return 't'; }
    char operator()(Date) { return 'd'; }
    char operator()(const List&) { return '\0'; }
  };
  return std::visit(Visitor(), literal);
}

/// What < and > compare with, where Chroma can: it compares numbers of one type alone, and as doubles.
json bound_of(const Value& literal) {
  if (const auto* date = std::get_if<Date>(&literal)) return date->days;
  double number = std::numeric_limits<double>::quiet_NaN();
  if (const auto* whole = std::get_if<std::int64_t>(&literal)) number = static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&literal)) number = *real;
  // An int64 as a double is still on its own side of every number that is nearer to 0 than 2^53.
  return std::abs(number) < kTwo53 ? json(number) : json();
}

/// Translates an expression, or its negation: `not` is carried down to the comparisons, as Chroma has none.
class Translator {
 public:
  std::optional<json> translate(const Filter::Expression& expression, bool negated) {
    switch (expression.kind) {
      case Kind::negation:
        return translate(expression.children.front(), !negated);
      case Kind::any_of:
      case Kind::all_of:
        return join(expression, negated);
      default:
        return leaf(expression, negated);
    }
  }

 private:
  std::optional<json> join(const Filter::Expression& expression, bool negated) {
    if (++depth_ > kDepthMax) return std::nullopt;
    json children = json::array();
    for (const auto& child : expression.children) {
      auto one = translate(child, negated);
      if (!one) return std::nullopt;
      children.push_back(std::move(*one));
    }
    --depth_;
    return (expression.kind == Kind::any_of) != negated ? any_of(children) : all_of(children);
  }

  std::optional<json> leaf(const Filter::Expression& expression, bool negated) {
    comparisons_ += expression.kind == Kind::exists ? kKinds.size() : expression.literals.size() + 2;
    if (comparisons_ > kComparisonsMax) return std::nullopt;
    const Words field(expression.field);
    switch (expression.kind) {
      case Kind::exists:
        return exists(field, negated);
      case Kind::equal:
      case Kind::in:
        return equals_any(field, expression.literals, negated);
      case Kind::not_equal:
        return differs(field, expression.literals.front(), negated);
      case Kind::less:
        return compares(field, expression.literals.front(), negated ? "$gte" : "$lt", negated);
      case Kind::less_equal:
        return compares(field, expression.literals.front(), negated ? "$gt" : "$lte", negated);
      case Kind::greater:
        return compares(field, expression.literals.front(), negated ? "$lte" : "$gt", negated);
      case Kind::greater_equal:
        return compares(field, expression.literals.front(), negated ? "$lt" : "$gte", negated);
      default:
        return std::nullopt;
    }
  }

  static json exists(const Words& field, bool negated) {
    json kinds = json::array();
    for (const char kind : kKinds) kinds.push_back(negated ? lacks(field.kind(kind)) : has(field.kind(kind)));
    return negated ? all_of(kinds) : any_of(kinds);
  }

  static std::optional<json> equals_any(const Words& field, const std::vector<Value>& literals,
                                        bool negated) {
    json equal = json::array();
    for (const Value& literal : literals) {
      const auto word = equal_word(field, literal);
      if (!word) return std::nullopt;
      equal.push_back(negated ? lacks(*word) : has(*word));
    }
    if (equal.empty()) return std::nullopt;
    return negated ? all_of(equal) : any_of(equal);
  }

  static std::optional<json> differs(const Words& field, const Value& literal, bool negated) {
    const auto word = equal_word(field, literal);
    if (!word) return std::nullopt;
    const char kind = kind_of(literal);
    json of_kind = json::array();
    for (const char one : kind == 'n' ? std::string{'n', 'N'} : std::string{kind}) {
      of_kind.push_back(negated ? lacks(field.kind(one)) : has(field.kind(one)));
    }
    if (negated) return any_of({all_of(of_kind), has(*word)});
    return all_of({any_of(of_kind), lacks(*word)});
  }

  static std::optional<json> compares(const Words& field, const Value& literal, const char* operation,
                                      bool negated) {
    json bound = bound_of(literal);
    if (bound.is_null()) return std::nullopt;
    const char kind = kind_of(literal);
    const json holds = {{field.range(kind), {{operation, std::move(bound)}}}};
    if (negated) return any_of({lacks(field.kind(kind)), holds});
    return all_of({has(field.kind(kind)), holds});
  }

  static std::optional<std::string> equal_word(const Words& field, const Value& literal) {
    return std::visit(
        [&](const auto& value) -> std::optional<std::string> {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, List>) {
            return std::nullopt;
          } else {
            return field.equal(equal_text(value));
          }
        },
        literal);
  }

  std::size_t comparisons_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

json chroma_metadata(const VectorRecord& record) {
  json metadata = {{"node", record.node}, {"document", record.document}};
  std::set<std::string> words = {"*"};  // Chroma keeps no empty list
  if (record.fields != nullptr) {
    for (const auto& [name, value] : *record.fields) {
      std::visit(FieldWriter{metadata, words, Words(name)}, value);
    }
  }
  metadata["fields"] = words;
  return metadata;
}

std::optional<json> chroma_where(const Filter& filter) {
  if (filter.empty()) return json();
  return Translator().translate(*filter.expression(), false);
}

json chroma_where(const VectorRestriction& restriction) {
  json where = restriction.native.empty() ? json() : json::parse(restriction.native);
  if (!restriction.documents) return where;
  const std::vector<std::uint32_t> numbers(restriction.documents->begin(), restriction.documents->end());
  const json documents = {{"document", {{"$in", numbers}}}};
  return where.is_null() ? documents : all_of({where, documents});
}

}  // namespace hasten
