#include "hasten/settings.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/nearest.hpp"
#include "engine/store_types.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSettingsBytesMax = std::uint64_t{1} << 20;

/// A settings file, whichever way it was written: its values, and the line of each by JSON pointer.
struct Source {
  std::string name;
  json values;
  std::map<std::string, std::size_t> lines;

  [[noreturn]] void fail(const std::string& pointer, const std::string& message) const {
    const auto at = lines.find(pointer);
    const std::string line = at == lines.end() ? "" : fmt::format("{}:", at->second);
    throw Error(Code::invalid, fmt::format("{}:{} {}", name, line, message));
  }
};

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

Source parse_toml(std::string name, std::string_view text) {
  Source source{std::move(name), {}, {}};
  try {
    source.values = from_toml(toml::parse(text), "", source);
  } catch (const toml::parse_error& error) {
    throw Error(Code::invalid, fmt::format("{}:{}: not TOML: {}", source.name,
                                           error.source().begin.line, error.description()));
  }
  return source;
}

// ---- JSON ----

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
    throw Error(Code::invalid,
                fmt::format("{}:{}: not JSON: {}", source_.name, line_, error.what()));
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

Source parse_json(std::string name, std::string_view text) {
  Source source{std::move(name), {}, {}};
  std::size_t line = 1;
  LineRecorder recorder(source, line);
  const CountingIterator begin{text.data(), &line}, end{text.data() + text.size(), &line};
  json::sax_parse(begin, end, &recorder);
  source.values = json::parse(text);
  return source;
}

// ---- What the values mean ----

/// One value of the file, and where it stands there.
class Entry {
 public:
  Entry(const Source& source, const json& value, std::string pointer)
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
    const bool fits = value_.is_number_unsigned() ||
                      (value_.is_number_integer() && value_.get<std::int64_t>() >= 0);
    if (!fits || value_.get<std::uint64_t>() < least)
      fail(fmt::format("takes a whole number of at least {}", least));
    return value_.get<std::uint64_t>();
  }
  double number(double least, double most) const {
    const double value = value_.is_number() ? value_.get<double>() : std::nan("");
    if (!(value >= least && value <= most))
      fail(std::isinf(most) ? fmt::format("takes a number of at least {}", least)
                            : fmt::format("takes a number from {} to {}", least, most));
    return value;
  }
  bool is_text() const { return value_.is_string(); }
  bool has(const char* name) const { return value_.is_object() && value_.contains(name); }
  Entry member(const std::string& name) const {
    return {source_, value_.at(name), pointer_ + "/" + name};
  }
  const json& table() const {
    if (!value_.is_object()) fail("takes a table");
    return value_;
  }
  const json& list(std::string_view of = "tables") const {
    if (!value_.is_array()) fail(fmt::format("takes a list of {}", of));
    return value_;
  }
  Entry item(std::size_t i) const {
    return {source_, value_.at(i), fmt::format("{}/{}", pointer_, i)};
  }

 private:
  const Source& source_;
  const json& value_;
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
      entry.member(name).fail(near.empty()
                                  ? fmt::format("unknown; known: {}", fmt::join(names, ", "))
                                  : fmt::format("unknown; did you mean '{}'?", near));
    }
    keys[known - names.begin()].set(target, entry.member(name));
  }
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr Key<ReadLimits> kLimitKeys[] = {
    {"file_bytes_max", [](ReadLimits& l, const Entry& e) { l.file_bytes_max = e.whole(1); }},
    {"text_bytes_max", [](ReadLimits& l, const Entry& e) { l.text_bytes_max = e.whole(1); }},
    {"memory_bytes_max", [](ReadLimits& l, const Entry& e) { l.memory_bytes_max = e.whole(1); }},
    {"seconds_max", [](ReadLimits& l, const Entry& e) { l.seconds_max = e.number(0.001, 86400); }},
};

constexpr Key<Settings> kBm25Keys[] = {
    {"k1", [](Settings& s, const Entry& e) { s.bm25_k1 = e.number(0, kInfinity); }},
    {"b", [](Settings& s, const Entry& e) { s.bm25_b = e.number(0, 1); }},
};

void read_hot_groups(Settings& settings, const Entry& entry) {
  for (std::size_t i = 0; i < entry.list("names").size(); ++i)
    settings.token_cache_groups.push_back(entry.item(i).text());
}

constexpr Key<Settings> kTokenCacheKeys[] = {
    {"bytes_max", [](Settings& s, const Entry& e) { s.token_cache_bytes = e.whole(0); }},
    {"groups", read_hot_groups},
};

constexpr Key<GroupSettings> kGroupKeys[] = {
    {"name", [](GroupSettings& g, const Entry& e) { g.name = e.text(); }},
    {"parent", [](GroupSettings& g, const Entry& e) { g.parent = e.text(); }},
    {"splitter", [](GroupSettings& g, const Entry& e) { g.splitter = e.text(); }},
    {"chunk_size", [](GroupSettings& g, const Entry& e) { g.chunk_size = e.whole(1); }},
    {"chunk_overlap", [](GroupSettings& g, const Entry& e) { g.chunk_overlap = e.whole(0); }},
};

bool group_exists(const Settings& settings, std::string_view name) {
  const auto named = [name](const GroupSettings& group) { return group.name == name; };
  return name == "root" || std::ranges::any_of(builtin_groups(), named) ||
         std::ranges::any_of(settings.groups, named);
}

GroupSettings read_group(const Settings& settings, const Entry& entry) {
  GroupSettings group;
  read_table(group, entry, kGroupKeys);
  if (group.name.empty()) entry.fail("a group needs a name");
  if (group_exists(settings, group.name)) entry.fail("there is a group of this name already");
  if (!group_exists(settings, group.parent))
    entry.fail(fmt::format("its parent '{}' is no group that stands before it", group.parent));
  if (group.chunk_overlap >= group.chunk_size)
    entry.fail("chunk_overlap takes less than chunk_size");
  return group;
}

void read_groups(Settings& settings, const Entry& entry) {
  for (std::size_t i = 0; i < entry.list().size(); ++i)
    settings.groups.push_back(read_group(settings, entry.item(i)));
}

void check_type(std::string& type, const Entry& entry) {
  type = entry.text();
  try {
    check_store_type(type);
  } catch (const Error& error) {
    entry.fail(error.what());
  }
}

constexpr Key<std::string> kStoreKeys[] = {
    {"type", check_type},
    {"kwargs", [](std::string&, const Entry& e) { e.table(); }},
};

void read_one_store(std::string& type, const Entry& entry) {
  if (entry.is_text()) return check_type(type, entry);
  read_table(type, entry, kStoreKeys);
  if (type.empty()) entry.fail("a store needs a type");
}

constexpr Key<std::string> kStorePairKeys[] = {
    {"segment_store", read_one_store},
    {"vector_store", read_one_store},
};

/// "local", {type, kwargs}, or {segment_store, vector_store} of the same shape. Only checked: there
/// is one type of store, and nothing about it to set.
void read_store(Settings&, const Entry& entry) {
  std::string type;
  if (entry.has("segment_store") || entry.has("vector_store"))
    read_table(type, entry, kStorePairKeys);
  else
    read_one_store(type, entry);
}

constexpr Key<Settings> kKeys[] = {
    {"embedder", [](Settings& s, const Entry& e) { s.embedder = e.text(); }},
    {"generator", [](Settings& s, const Entry& e) { s.generator = e.text(); }},
    {"group", [](Settings& s, const Entry& e) { s.group = e.text(); }},
    {"groups", read_groups},
    {"threads", [](Settings& s, const Entry& e) { s.threads = e.whole(0); }},
    {"memory_bytes", [](Settings& s, const Entry& e) { s.memory_bytes = e.whole(1); }},
    {"limits", [](Settings& s, const Entry& e) { read_table(s.limits, e, kLimitKeys); }},
    {"recall", [](Settings& s, const Entry& e) { s.recall = e.number(0.001, 1); }},
    {"reranker", [](Settings& s, const Entry& e) { s.reranker = e.text(); }},
    {"rerank_top_k", [](Settings& s, const Entry& e) { s.rerank_top_k = e.whole(1); }},
    {"token_cache", [](Settings& s, const Entry& e) { read_table(s, e, kTokenCacheKeys); }},
    {"bm25", [](Settings& s, const Entry& e) { read_table(s, e, kBm25Keys); }},
    {"store", read_store},
};

}  // namespace

std::span<const std::string_view> store_types() noexcept {
  static constexpr std::string_view kTypes[] = {"local"};
  return kTypes;
}

void check_store_type(std::string_view type) {
  const auto types = store_types();
  if (std::ranges::find(types, type) == types.end())
    throw Error(Code::invalid, fmt::format("no store of type '{}' in this build; it has: {}", type,
                                           fmt::join(types, ", ")));
}

Settings Settings::load(const std::filesystem::path& file) {
  const std::string text = read_file(file, kSettingsBytesMax);
  const Source source = file.extension() == ".json" ? parse_json(file.string(), text)
                                                    : parse_toml(file.string(), text);
  Settings settings;
  const Entry root(source, source.values, "");
  read_table(settings, root, kKeys);
  if (!group_exists(settings, settings.group))
    root.member("group").fail(fmt::format("there is no group '{}'", settings.group));
  return settings;
}

const std::vector<GroupSettings>& builtin_groups() {
  static const std::vector<GroupSettings> groups = {
      {"CoarseChunk", "root", "sentence", 1024, 100},
      {"MediumChunk", "root", "sentence", 256, 25},
      {"FineChunk", "root", "sentence", 128, 12},
  };
  return groups;
}

}  // namespace hasten
