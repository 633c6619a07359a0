#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "core/filter_expression.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using Expression = Filter::Expression;
using Kind = Expression::Kind;

// Parentheses and `not` nest at most so deep: the tree is walked by recursion.
constexpr int kDepthMax = 200;

enum class TokenKind { end, word, number, string, symbol };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;  // as it stands in the expression
  std::size_t from = 0;
  std::string value = {};  // of a string, its escapes resolved
};

constexpr std::string_view kExpectedValue =
    "a value (string in double quotes, number, true, false, date(\"2026-11-22\"))";
constexpr std::string_view kExpectedOperator = "an operator (==, !=, <, <=, >, >=, in [..])";
constexpr std::string_view kExpectedCondition =
    "a condition (FIELD == VALUE, FIELD in [..], prefix(FIELD, \"..\"), exists(FIELD), not, "
    "or a parenthesis)";

constexpr std::array<std::string_view, 6> kReserved = {"and", "or", "not", "in", "true", "false"};

bool is_reserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

constexpr std::array<std::pair<std::string_view, Kind>, 6> kComparisons = {{{"==", Kind::equal},
                                                                            {"!=", Kind::not_equal},
                                                                            {"<", Kind::less},
                                                                            {"<=", Kind::less_equal},
                                                                            {">", Kind::greater},
                                                                            {">=", Kind::greater_equal}}};

/// What other languages write, and what is written here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kHints = {{{"=", "=="},
                                                                                   {"===", "=="},
                                                                                   {"<>", "!="},
                                                                                   {"!==", "!="},
                                                                                   {"=<", "<="},
                                                                                   {"=>", ">="},
                                                                                   {"&&", "and"},
                                                                                   {"&", "and"},
                                                                                   {"||", "or"},
                                                                                   {"|", "or"},
                                                                                   {"!", "not"},
                                                                                   {"~", "not"},
                                                                                   {"AND", "and"},
                                                                                   {"OR", "or"},
                                                                                   {"NOT", "not"},
                                                                                   {"IN", "in"},
                                                                                   {"True", "true"},
                                                                                   {"False", "false"}}};

std::string hint_for(std::string_view text) {
  for (const auto& [foreign, ours] : kHints) {
    if (text == foreign) return fmt::format("; write `{}`", ours);
  }
  for (std::string_view quote : {"'", "“", "”", "‘", "«"}) {
    if (text.starts_with(quote)) return "; strings stand in double quotes: \"...\"";
  }
  return "";
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_word_part(char c) { return is_word_start(c) || is_digit(c) || c == '.' || c == '-'; }

bool is_operator_part(char c) { return std::string_view("=!<>&|").find(c) != std::string_view::npos; }

/// Columns of a terminal that a character takes.
int width_of(char32_t c) {
  const bool full_width = (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFF60);
  return utf8::is_cjk(c) || full_width ? 2 : 1;
}

/// The part of the expression around `at`, on one line, and a caret under that place.
std::string pointed_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kBefore = 60, kAfter = 40;
  const std::size_t from = at <= kBefore ? 0 : utf8::floor_border(text, at - kBefore);
  const std::size_t to = text.size() - at <= kAfter ? text.size() : utf8::floor_border(text, at + kAfter);
  std::string line = from > 0 ? "..." : "";
  int columns = from > 0 ? 3 : 0;
  for (std::size_t i = from; i < to;) {
    const auto [c, size] = utf8::decode(text, i);
    if (i < at) columns += width_of(c);
    utf8::append(line, c < 0x20 || c == 0x7F ? U' ' : c);
    i += size;
  }
  return fmt::format("\n  {}{}\n  {:>{}}", line, to < text.size() ? "..." : "", "^", columns + 1);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { advance(); }

  Expression parse() {
    Expression expression = parse_or();
    if (token_.kind != TokenKind::end) fail_after_condition();
    return expression;
  }

 private:
  // Grammar, one function a rule of docs/filters.md.

  Expression parse_or() { return parse_joined(Kind::any_of, "or", &Parser::parse_and); }
  Expression parse_and() { return parse_joined(Kind::all_of, "and", &Parser::parse_not); }

  Expression parse_joined(Kind kind, std::string_view word, Expression (Parser::*parse_part)()) {
    Expression first = (this->*parse_part)();
    if (!is_word(word)) return first;
    Expression joined{.kind = kind};
    joined.children.push_back(std::move(first));
    while (take_word(word)) joined.children.push_back((this->*parse_part)());
    return joined;
  }

  Expression parse_not() {
    const Token start = token_;
    if (!take_word("not")) return parse_condition();
    enter(start);
    Expression negation{.kind = Kind::negation};
    negation.children.push_back(parse_not());
    --depth_;
    return negation;
  }

  Expression parse_condition() {
    if (is_symbol("(")) return parse_parenthesis();
    if (token_.kind != TokenKind::word || is_reserved(token_.text)) fail(kExpectedCondition);
    // "prefix" and "exists" are functions before a parenthesis only: a field may bear the name.
    const Token name = take();
    if (!is_symbol("(")) return parse_comparison(name);
    if (name.text == "exists") return parse_exists();
    if (name.text == "prefix") return parse_prefix();
    fail_at(name, "one of the functions prefix(FIELD, \"..\") and exists(FIELD)");
  }

  Expression parse_parenthesis() {
    enter(take());
    Expression inner = parse_or();
    if (!is_symbol(")")) fail("`)`, `and` or `or`");
    take();
    --depth_;
    return inner;
  }

  Expression parse_exists() {
    take_symbol("(");
    Expression expression{.kind = Kind::exists, .field = take_field()};
    take_symbol(")");
    return expression;
  }

  Expression parse_prefix() {
    take_symbol("(");
    Expression expression{.kind = Kind::prefix, .field = take_field()};
    take_symbol(",");
    if (token_.kind != TokenKind::string) fail("a string in double quotes");
    expression.literals.emplace_back(take().value);
    take_symbol(")");
    return expression;
  }

  Expression parse_comparison(const Token& field) {
    if (take_word("in")) return parse_in(field);
    if (is_word("not")) fail(fmt::format("{}; write `not ({} in [..])`", kExpectedOperator, field.text));
    for (const auto& [symbol, kind] : kComparisons) {
      if (!is_symbol(symbol)) continue;
      take();
      Expression expression{.kind = kind, .field = std::string(field.text)};
      expression.literals.push_back(parse_value());
      return expression;
    }
    fail(kExpectedOperator);
  }

  Expression parse_in(const Token& field) {
    take_symbol("[");
    Expression expression{.kind = Kind::in, .field = std::string(field.text)};
    if (!is_symbol("]")) {
      expression.literals.push_back(parse_value());
      while (is_symbol(",")) {
        take();
        expression.literals.push_back(parse_value());
      }
    }
    if (!is_symbol("]")) fail("`,` or `]`");
    take();
    return expression;
  }

  Value parse_value() {
    if (token_.kind == TokenKind::string) return take().value;
    if (token_.kind == TokenKind::number) return parse_number();
    if (take_word("true")) return true;
    if (take_word("false")) return false;
    if (!is_word("date")) fail(kExpectedValue);
    return parse_date();
  }

  Value parse_number() {
    const Token token = take();
    const char* const end = token.text.data() + token.text.size();
    std::int64_t whole = 0;
    if (const auto [at, error] = std::from_chars(token.text.data(), end, whole);
        error == std::errc() && at == end) {
      return whole;
    }
    double real = 0;
    if (const auto [at, error] = std::from_chars(token.text.data(), end, real);
        error == std::errc() && at == end) {
      return real;
    }
    fail_at(token, "a number such as 2020, -3 or 0.5e3");
  }

  Value parse_date() {
    take();
    take_symbol("(");
    const Token token = token_;
    const auto date = token.kind == TokenKind::string ? Date::parse(token.value) : std::nullopt;
    if (!date) fail("a day such as \"2026-11-22\"");
    take();
    take_symbol(")");
    return *date;
  }

  // Tokens.

  Token take() {
    Token taken = std::move(token_);
    advance();
    return taken;
  }

  bool is_word(std::string_view word) const { return token_.kind == TokenKind::word && token_.text == word; }
  bool is_symbol(std::string_view symbol) const {
    return token_.kind == TokenKind::symbol && token_.text == symbol;
  }

  bool take_word(std::string_view word) {
    const bool found = is_word(word);
    if (found) advance();
    return found;
  }

  void take_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) fail(fmt::format("`{}`", symbol));
    advance();
  }

  std::string take_field() {
    if (token_.kind != TokenKind::word || is_reserved(token_.text)) fail("the name of a field");
    return std::string(take().text);
  }

  void advance() {
    while (at_ < text_.size()) {
      const auto [c, size] = utf8::decode(text_, at_);
      if (!utf8::is_space(c)) break;
      at_ += size;
    }
    token_ = {.from = at_};
    if (at_ == text_.size()) return;
    const char c = text_[at_];
    if (c == '"') return read_string();
    const bool signed_number = (c == '-' || c == '+' || c == '.') && at_ + 1 < text_.size() &&
                               (is_digit(text_[at_ + 1]) || text_[at_ + 1] == '.');
    if (is_digit(c) || signed_number) return read_number();
    if (is_word_start(c)) return read_while(TokenKind::word, is_word_part);
    if (is_operator_part(c)) return read_while(TokenKind::symbol, is_operator_part);
    finish(TokenKind::symbol, at_ + 1);
  }

  void finish(TokenKind kind, std::size_t to) {
    token_.kind = kind;
    token_.text = text_.substr(at_, to - at_);
    at_ = to;
  }

  void read_while(TokenKind kind, bool (*belongs)(char)) {
    std::size_t to = at_ + 1;
    // An ideographic space is white space, not a letter of a field's name.
    while (to < text_.size() && belongs(text_[to]) && !utf8::is_space(utf8::decode(text_, to).code_point)) {
      ++to;
    }
    finish(kind, to);
  }

  void read_number() {
    std::size_t to = at_ + 1;
    while (to < text_.size()) {
      const bool exponent_sign =
          (text_[to] == '-' || text_[to] == '+') && (text_[to - 1] == 'e' || text_[to - 1] == 'E');
      if (!is_word_part(text_[to]) && !exponent_sign) break;
      ++to;
    }
    finish(TokenKind::number, to);
    // std::from_chars knows no plus sign.
    if (token_.text.starts_with('+')) token_.text.remove_prefix(1);
  }

  void read_string() {
    std::size_t at = at_ + 1;
    for (; at < text_.size() && text_[at] != '"'; ++at) {
      if (text_[at] == '\\') {
        ++at;
        if (at == text_.size() || (text_[at] != '"' && text_[at] != '\\')) {
          fail_at({.kind = TokenKind::symbol, .text = text_.substr(at - 1, 2), .from = at - 1},
                  R"(`\"` or `\\` after a backslash in a string)");
        }
      }
      token_.value += text_[at];
    }
    if (at == text_.size()) {
      fail_at({.from = at},
              "a closing double quote of the string that begins at column " + std::to_string(column(at_)));
    }
    finish(TokenKind::string, at + 1);
  }

  // Errors.

  void enter(const Token& start) {
    if (++depth_ > kDepthMax) {
      fail_at(start, fmt::format("at most {} parentheses and `not` inside each other", kDepthMax));
    }
  }

  std::size_t column(std::size_t at) const { return utf8::length(text_.substr(0, at)) + 1; }

  [[noreturn]] void fail_after_condition() {
    if (is_symbol(")")) fail("the end: no parenthesis is open");
    fail("`and`, `or` or the end");
  }

  [[noreturn]] void fail(std::string_view expected) const { fail_at(token_, expected); }

  [[noreturn]] void fail_at(const Token& token, std::string_view expected) const {
    const std::string got = token.kind == TokenKind::end ? "the end" : fmt::format("`{}`", shown(token.text));
    throw Error(Code::invalid,
                fmt::format("filter: column {}: expected {}, got {}{}{}", column(token.from), expected, got,
                            hint_for(token.text), pointed_at(text_, token.from)));
  }

  static std::string shown(std::string_view text) {
    constexpr std::size_t kMax = 40;
    if (text.size() <= kMax) return utf8::sanitise(text);
    return utf8::sanitise(text.substr(0, utf8::floor_border(text, kMax))) + "...";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Token token_;
  int depth_ = 0;
};

}  // namespace

Filter::Expression parse_filter(std::string_view text) { return Parser(text).parse(); }

}  // namespace hasten
