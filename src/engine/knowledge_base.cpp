#include "engine/knowledge_base.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/ingest/scan.hpp"
#include "engine/stores/stores.hpp"
#include "hasten/error.hpp"

namespace hasten {

namespace {

std::unique_ptr<RemoteVectors> remote_vectors(const Stores& stores) {
  auto store = make_vector_store(stores);
  return store ? std::make_unique<RemoteVectors>(std::move(store), stores.vector_store.kwargs) : nullptr;
}

}  // namespace

KnowledgeBase::KnowledgeBase(const std::filesystem::path& folder, Settings given, SegmentStore::Access wanted,
                             std::string_view owner)
    : settings(std::move(given)),
      access(wanted),
      owned_store(open_segment_store(settings.stores, folder, wanted, owner)),
      store(*owned_store),
      remote(remote_vectors(settings.stores)),
      models(settings.threads),
      token_cache(token_cache_folder(store.folder()), settings.token_cache_bytes),
      caches(settings.cache),
      semantic_cache(settings.cache) {}

std::filesystem::path token_cache_folder(const std::filesystem::path& knowledge_base) {
  return knowledge_base / "cache" / "tokens";
}

SegmentStore& KnowledgeBase::writable() {
  if (access != SegmentStore::Access::write) {
    throw Error(Code::locked,
                store.where() + " was opened for reading; open it with Access::write to change it");
  }
  return store;
}

KnowledgeBase::Newest KnowledgeBase::newest() {
  for (std::optional<std::uint64_t> before;;) {
    auto reading = store.read();
    try {
      auto snapshot = snapshots.at(*reading);
      return {std::move(reading), std::move(snapshot)};
    } catch (const Error& error) {
      if (error.code() != Code::damaged || before == reading->seen()) throw;
      before = reading->seen();
    }
  }
}

std::string KnowledgeBase::identity() {
  const std::lock_guard lock(naming);
  if (identity_found.empty()) identity_found = store.read()->setting(stored::kIdentity).value_or("");
  return identity_found.empty() ? identity_of(store, *store.read()) : identity_found;
}

std::string identity_of(const SegmentStore& store, const SegmentStore::Reading& reading) {
  if (auto id = reading.setting(stored::kIdentity)) return *id;
  std::error_code ignored;
  return std::filesystem::weakly_canonical(store.folder(), ignored).string();
}

std::string KnowledgeBase::embedder_name(const SegmentStore::Reading& reading) const {
  if (!settings.embedder.empty()) return settings.embedder;
  return reading.setting(stored::kEmbedder).value_or(std::string(kDefaultEmbedder));
}

std::map<std::string, GroupDefinition> KnowledgeBase::group_definitions(
    const std::shared_ptr<const TokenCounter>& tokens) const {
  std::map<std::string, GroupDefinition> definitions;
  const auto add = [&](const GroupSettings& group) {
    const SplitOptions options{group.chunk_size, group.chunk_overlap};
    definitions[group.name] = {group.name, group.parent, make_splitter(group.splitter, options, tokens)};
  };
  for (const auto& group : builtin_groups()) add(group);
  for (const auto& group : settings.groups) add(group);
  for (const auto& [name, definition] : user_groups) definitions[name] = definition;
  return definitions;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    if (end > from) lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

DocumentSet documents_where(const SegmentStore::Reading& reading,
                            const std::function<bool(const DocumentRow&)>& passes) {
  std::vector<std::uint32_t> passed;
  std::size_t documents = 0;
  reading.for_each_document([&](const DocumentRow& row) {
    ++documents;
    if (passes(row)) passed.push_back(row.number);
  });
  DocumentSet set(documents);
  for (const std::uint32_t document : passed) set.add(document);
  return set;
}

ScoreMoments unrelated_of(const SegmentStore::Reading& reading) {
  const auto stored = reading.setting(stored::kUnrelated);
  if (!stored) return {};
  const auto values = nlohmann::json::parse(*stored, nullptr, false);
  if (!values.is_array() || values.size() != 3) {
    throw Error(Code::damaged, "the stored moments of the embedder are no three numbers");
  }
  return {values[0].get<std::uint64_t>(), values[1].get<double>(), values[2].get<double>()};
}

void store_unrelated(SegmentStore::Writing& writing, const ScoreMoments& moments) {
  writing.set_setting(stored::kUnrelated,
                      nlohmann::json{moments.count, moments.sum, moments.sum_of_squares}.dump());
}

std::vector<GroupRow> searched_groups(const SegmentStore::Reading& reading) {
  const auto names = split_lines(reading.setting(stored::kGroups).value_or(""));
  std::vector<GroupRow> groups = reading.groups();
  std::erase_if(groups, [&](const GroupRow& group) {
    return std::find(names.begin(), names.end(), group.name) == names.end();
  });
  return groups;
}

Metadata document_fields(const DocumentRow& row) {
  Metadata fields = row.metadata;
  fields["path"] = shown_path(row.shown, row.path);
  fields["format"] = row.format;
  fields["size"] = static_cast<std::int64_t>(row.size);
  if (row.mtime_ns > 0) {
    fields["modified"] = Date{static_cast<std::int32_t>(row.mtime_ns / (86'400LL * 1'000'000'000))};
  }
  return fields;
}

}  // namespace hasten
