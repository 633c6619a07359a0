#include "hasten/settings.hpp"

#include <algorithm>
#include <limits>

#include "base/files.hpp"
#include "engine/caching/semantic_cache.hpp"
#include "engine/settings/settings_source.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using config::Entry;
using config::Key;
using config::Source;

constexpr std::uint64_t kSettingsBytesMax = std::uint64_t{1} << 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kWeightMax = 1e9;

constexpr Key<ReadLimits> kLimitKeys[] = {
    {"file_bytes_max", [](ReadLimits& l, const Entry& e) { l.file_bytes_max = e.whole(1); }},
    {"text_bytes_max", [](ReadLimits& l, const Entry& e) { l.text_bytes_max = e.whole(1); }},
    {"memory_bytes_max", [](ReadLimits& l, const Entry& e) { l.memory_bytes_max = e.whole(1); }},
    {"seconds_max", [](ReadLimits& l, const Entry& e) { l.seconds_max = e.number(0.001, 86400); }},
};

constexpr Key<IndexSettings> kIndexKeys[] = {
    {"kind", [](IndexSettings& i, const Entry& e) { i.kind = e.parsed(index_kind_from_string); }},
    {"codes", [](IndexSettings& i, const Entry& e) { i.codes = e.parsed(vector_codes_from_string); }},
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

constexpr Key<CacheBudget> kBudgetKeys[] = {
    {"on", [](CacheBudget& b, const Entry& e) { b.on = e.flag(); }},
    {"bytes_max", [](CacheBudget& b, const Entry& e) { b.bytes_max = e.whole(1 << 16); }},
    {"ttl_seconds", [](CacheBudget& b, const Entry& e) { b.ttl_seconds = e.whole(0); }},
};

void read_error_rate(SemanticCacheSettings& settings, const Entry& entry) {
  settings.error_rate = entry.json().is_number() ? entry.json().get<double>() : 0;
  if (!is_error_rate(settings.error_rate)) entry.fail("takes a number above 0, up to 0.5");
}

constexpr Key<SemanticCacheSettings> kSemanticKeys[] = {
    {"on", [](SemanticCacheSettings& s, const Entry& e) { s.on = e.flag(); }},
    {"error_rate", read_error_rate},
    {"entries_max", [](SemanticCacheSettings& s, const Entry& e) { s.entries_max = e.whole(1); }},
};

constexpr Key<CacheSettings> kCacheKeys[] = {
    {"type", [](CacheSettings& c, const Entry& e) { c.type = e.text(); }},
    {"kwargs", [](CacheSettings& c, const Entry& e) { c.kwargs = e.table().dump(); }},
    {"embeddings", [](CacheSettings& c, const Entry& e) { read_table(c.embeddings, e, kBudgetKeys); }},
    {"sessions", [](CacheSettings& c, const Entry& e) { read_table(c.sessions, e, kBudgetKeys); }},
    {"passages", [](CacheSettings& c, const Entry& e) { read_table(c.passages, e, kBudgetKeys); }},
    {"lists", [](CacheSettings& c, const Entry& e) { read_table(c.lists, e, kBudgetKeys); }},
    {"results", [](CacheSettings& c, const Entry& e) { read_table(c.results, e, kBudgetKeys); }},
    {"answers", [](CacheSettings& c, const Entry& e) { read_table(c.answers, e, kBudgetKeys); }},
    {"questions", [](CacheSettings& c, const Entry& e) { read_table(c.questions, e, kBudgetKeys); }},
    {"any_answers", [](CacheSettings& c, const Entry& e) { c.any_answers = e.flag(); }},
    {"semantic", [](CacheSettings& c, const Entry& e) { read_table(c.semantic, e, kSemanticKeys); }},
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
  if (group.chunk_overlap >= group.chunk_size) entry.fail("chunk_overlap takes less than chunk_size");
  return group;
}

void read_groups(Settings& settings, const Entry& entry) {
  for (std::size_t i = 0; i < entry.list().size(); ++i)
    settings.groups.push_back(read_group(settings, entry.item(i)));
}

void read_stores(Settings& settings, const Entry& entry) {
  try {
    settings.stores = Stores::parse(entry.json().dump());
  } catch (const Error& error) {
    entry.fail(error.what());
  }
}

constexpr Key<Retriever> kRetrieverKeys[] = {
    {"group", [](Retriever& r, const Entry& e) { r.group = e.text(); }},
    {"similarity", [](Retriever& r, const Entry& e) { r.similarity = e.text(); }},
    {"top_k", [](Retriever& r, const Entry& e) { r.top_k = e.whole(1); }},
    {"filter", [](Retriever& r, const Entry& e) { r.filter = e.parsed(Filter::parse); }},
    {"cut_off", [](Retriever& r, const Entry& e) { r.cut_off = e.number(-kInfinity, kInfinity); }},
    {"weight", [](Retriever& r, const Entry& e) { r.weight = e.number(0, kWeightMax); }},
    {"priority", [](Retriever& r, const Entry& e) { r.priority = e.parsed(priority_from_string); }},
};

constexpr Key<SearchOptions> kSearchKeys[] = {
    {"mode", [](SearchOptions& o, const Entry& e) { o.mode = e.parsed(mode_from_string); }},
    {"top_k", [](SearchOptions& o, const Entry& e) { o.top_k = e.whole(1); }},
    {"fusion", [](SearchOptions& o, const Entry& e) { o.fusion = e.parsed(fusion_from_string); }},
    {"rrf_k", [](SearchOptions& o, const Entry& e) { o.rrf_k = e.number(0, kWeightMax); }},
    {"cut_off", [](SearchOptions& o, const Entry& e) { o.cut_off = e.number(-kInfinity, kInfinity); }},
    {"target", [](SearchOptions& o, const Entry& e) { o.target = e.text(); }},
    {"fold", [](SearchOptions& o, const Entry& e) { o.fold = e.number(0, 1); }},
    {"diversity", [](SearchOptions& o, const Entry& e) { o.diversity = e.number(0, 1); }},
    {"window", [](SearchOptions& o, const Entry& e) { o.window = e.whole(0); }},
};

void read_retrievers(Settings& settings, const Entry& entry) {
  for (std::size_t i = 0; i < entry.list().size(); ++i)
    read_table(settings.search.retrievers.emplace_back(), entry.item(i), kRetrieverKeys);
}

/// "a=1,b=f(x, y)" as a table of texts and numbers.
nlohmann::json table_of(std::string_view text) {
  nlohmann::json table = nlohmann::json::object();
  const auto add = [&](std::string_view part) {
    const auto equals = part.find('=');
    const std::string key(part.substr(0, equals));
    if (equals == part.npos || key.empty())
      throw Error(Code::invalid,
                  fmt::format("'{}' is no KEY=VALUE; write group=FineChunk,similarity=bm25", part));
    const std::string value(part.substr(equals + 1));
    const bool is_number = key == "top_k" || key == "cut_off" || key == "weight";
    const auto number = nlohmann::json::parse(value, nullptr, false);
    table[key] = is_number && number.is_number() ? number : nlohmann::json(value);
  };
  int depth = 0;
  bool quoted = false;
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (quoted) continue;
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c != ',' || depth > 0) continue;
    add(text.substr(from, i - from));
    from = i + 1;
  }
  add(text.substr(from));
  return table;
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
    {"index", [](Settings& s, const Entry& e) { read_table(s.index, e, kIndexKeys); }},
    {"reranker", [](Settings& s, const Entry& e) { s.reranker = e.text(); }},
    {"rerank_top_k", [](Settings& s, const Entry& e) { s.rerank_top_k = e.whole(1); }},
    {"token_cache", [](Settings& s, const Entry& e) { read_table(s, e, kTokenCacheKeys); }},
    {"cache", [](Settings& s, const Entry& e) { read_table(s.cache, e, kCacheKeys); }},
    {"bm25", [](Settings& s, const Entry& e) { read_table(s, e, kBm25Keys); }},
    {"store", read_stores},
    {"search", [](Settings& s, const Entry& e) { read_table(s.search, e, kSearchKeys); }},
    {"retrievers", read_retrievers},
};

}  // namespace

Settings Settings::load(const std::filesystem::path& file) {
  const std::string text = read_file(file, kSettingsBytesMax);
  const Source source = file.extension() == ".json" ? config::parse_json(file.string(), text)
                                                    : config::parse_toml(file.string(), text);
  Settings settings;
  const Entry root(source, source.values, "");
  read_table(settings, root, kKeys);
  if (!group_exists(settings, settings.group))
    root.member("group").fail(fmt::format("there is no group '{}'", settings.group));
  return settings;
}

Retriever Retriever::parse(std::string_view text) {
  const Source source{"retriever", table_of(text), {}};
  Retriever retriever;
  read_table(retriever, Entry(source, source.values, ""), kRetrieverKeys);
  return retriever;
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
