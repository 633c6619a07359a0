#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "caches/disk_cache.hpp"
#include "caches/single_flight.hpp"
#include "core/document_set.hpp"
#include "core/segment_store.hpp"
#include "engine/caching/caches.hpp"
#include "engine/caching/semantic_cache.hpp"
#include "engine/groups.hpp"
#include "engine/loaded_models.hpp"
#include "engine/search/filtering.hpp"
#include "engine/search/rerankers.hpp"
#include "engine/search/search_embedder.hpp"
#include "engine/search/user_indexes.hpp"
#include "engine/snapshot.hpp"
#include "engine/stores/remote_vectors.hpp"
#include "engine/tuning/recall_measured.hpp"
#include "hasten/document.hpp"

namespace hasten {

struct Found;
struct Written;

/// Keys of the settings that a knowledge base keeps.
namespace stored {
inline constexpr std::string_view kEmbedder = "embedder";  ///< its name
inline constexpr std::string_view kFingerprint = "embedder.fingerprint";
inline constexpr std::string_view kUnrelated = "embedder.unrelated";  ///< moments of its cosines
inline constexpr std::string_view kGroups = "groups";                 ///< used ones, by lines
inline constexpr std::string_view kIdentity = "identity";  ///< given to it when it was made; copies keep it
/// Says that older documents still lack a group's nodes.
inline std::string pending_group(std::string_view group) {
  return std::string("group.pending.").append(group);
}
}  // namespace stored

/// An open knowledge base: what the parts of the engine share.
struct KnowledgeBase {
  KnowledgeBase(const std::filesystem::path& folder, Settings given, SegmentStore::Access wanted,
                std::string_view owner);

  Settings settings;
  SegmentStore::Access access;
  std::unique_ptr<SegmentStore> owned_store;
  SegmentStore& store;
  std::unique_ptr<RemoteVectors> remote;  ///< null: vectors are searched in segments alone
  Snapshots snapshots;
  LoadedModels models;
  DiskCache token_cache;  ///< of late interaction
  Rerankers rerankers;    ///< after what they borrow
  std::map<std::string, GroupDefinition> user_groups;
  UserIndexes indexes;
  FilterCache filters;
  RecallSettings recall;
  Caches caches;
  SemanticCache semantic_cache;
  SearchEmbedder search_embedder;
  std::mutex merging;        ///< held by the one thread that merges
  double merge_seconds = 0;  ///< what ingests may still spend on it; guarded by `merging`
  // What is made is shared by all who asked for it.
  SingleFlight<std::shared_ptr<const Found>> searching;
  SingleFlight<std::shared_ptr<const Written>> writing;
  std::mutex naming;
  std::string identity_found;  ///< guarded by `naming`

  /// @throws Error(locked) it was opened for reading.
  SegmentStore& writable();
  /// The newest commit. A writer may have merged a segment away between our reading of the manifest and
  /// our opening of the file: then it is read again.
  /// @throws Error(damaged) a segment is missing, and the manifest still names it.
  struct Newest {
    std::unique_ptr<SegmentStore::Reading> reading;
    std::shared_ptr<const Snapshot> snapshot;  // shared with the other readers of this commit
  };
  Newest newest();
  /// What tells it from others whose caches are in the same server.
  std::string identity();
  /// The embedder's name: the settings', else the stored one, else the default.
  std::string embedder_name(const SegmentStore::Reading& reading) const;
  /// Built-in groups, the settings' and the user's, with their splitters.
  std::map<std::string, GroupDefinition> group_definitions(
      const std::shared_ptr<const TokenCounter>& tokens) const;
};

/// Which knowledge base it is, whichever store it is in: a name that its copies share; of one that an earlier
/// program made, its folder.
std::string identity_of(const SegmentStore& store, const SegmentStore::Reading& reading);

/// Where the token vectors of late interaction are kept.
std::filesystem::path token_cache_folder(const std::filesystem::path& knowledge_base);

/// The groups that are searched, as the knowledge base keeps them.
std::vector<GroupRow> searched_groups(const SegmentStore::Reading& reading);

/// The documents that pass.
DocumentSet documents_where(const SegmentStore::Reading& reading,
                            const std::function<bool(const DocumentRow&)>& passes);

/// The stored moments of the embedder's unrelated cosines; none before anything was embedded.
ScoreMoments unrelated_of(const SegmentStore::Reading& reading);
void store_unrelated(SegmentStore::Writing& writing, const ScoreMoments& moments);

/// The non-empty lines of a text.
std::vector<std::string> split_lines(const std::string& text);

/// The fields of a document that filters and hits see: path, root, format, title, lang, size,
/// modified (date), and what the reader found.
Metadata document_fields(const DocumentRow& row);
/// Of what document_fields() gives: raised when that changes, so that columns are built anew.
inline constexpr std::string_view kFieldsSignature = "fields 1";

}  // namespace hasten
