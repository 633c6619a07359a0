#include "engine/settings/settings_source.hpp"

#include <toml++/toml.h>

#include <vector>

#include "hasten/error.hpp"

namespace hasten::config {

using nlohmann::json;

void Source::fail(const std::string& pointer, const std::string& message) const {
  const auto at = lines.find(pointer);
  const std::string line = at == lines.end() ? "" : fmt::format("{}:", at->second);
  throw Error(Code::invalid, fmt::format("{}:{} {}", name, line, message));
}

namespace {

// ---- TOML ----

json from_toml(const toml::node& node, const std::string& pointer, Source& source);

json from_toml(const toml::table& table, const std::string& pointer, Source& source) {
  json object = json::object();
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    const std::string at = pointer + "/" + name;
    source.lines[at] = key.source().begin.line;
    object[name] = from_toml(value, at, source);
  }
  return object;
}

json from_toml(const toml::array& array, const std::string& pointer, Source& source) {
  json list = json::array();
  for (const toml::node& value : array) {
    const std::string at = fmt::format("{}/{}", pointer, list.size());
    source.lines[at] = value.source().begin.line;
    list.push_back(from_toml(value, at, source));
  }
  return list;
}

json from_toml(const toml::node& node, const std::string& pointer, Source& source) {
  if (const auto* table = node.as_table()) return from_toml(*table, pointer, source);
  if (const auto* array = node.as_array()) return from_toml(*array, pointer, source);
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  source.fail(pointer, "dates and times are not settings");
}

}  // namespace

Source parse_toml(std::string name, std::string_view text) {
  Source source{std::move(name), {}, {}};
  try {
    source.values = from_toml(toml::parse(text), "", source);
  } catch (const toml::parse_error& error) {
    throw Error(Code::invalid, fmt::format("{}:{}: not TOML: {}", source.name, error.source().begin.line,
                                           error.description()));
  }
  return source;
}

// ---- JSON ----

namespace {

/// Counts the lines that the JSON parser has read.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  std::size_t* line;
  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    if (*at == '\n') ++*line;
    ++at;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
  bool operator!=(const CountingIterator& other) const { return at != other.at; }
};

/// Notes where each value stands while the parser walks over the text.
class LineRecorder final : public nlohmann::json_sax<json> {
 public:
  LineRecorder(Source& source, const std::size_t& line) : source_(source), line_(line) {}

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return open(false); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    levels_.back().step = key;
    source_.lines[pointer()] = line_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    throw Error(Code::invalid, fmt::format("{}:{}: not JSON: {}", source_.name, line_, error.what()));
  }

 private:
  struct Level {
    bool list;
    std::size_t next = 0;
    std::string step;
  };

  std::string pointer() const {
    std::string joined;
    for (const Level& level : levels_) joined += "/" + level.step;
    return joined;
  }
  bool value() {
    if (levels_.empty() || !levels_.back().list) return true;
    levels_.back().step = std::to_string(levels_.back().next++);
    source_.lines[pointer()] = line_;
    return true;
  }
  bool open(bool list) {
    value();
    levels_.push_back({list});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  Source& source_;
  const std::size_t& line_;
  std::vector<Level> levels_;
};

}  // namespace

Source parse_json(std::string name, std::string_view text) {
  Source source{std::move(name), {}, {}};
  std::size_t line = 1;
  LineRecorder recorder(source, line);
  const CountingIterator begin{text.data(), &line}, end{text.data() + text.size(), &line};
  json::sax_parse(begin, end, &recorder);
  source.values = json::parse(text);
  return source;
}

}  // namespace hasten::config
