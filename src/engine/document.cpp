#include "hasten/document.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "engine/ask/ask.hpp"
#include "engine/copies/backup.hpp"
#include "engine/copies/migrate.hpp"
#include "engine/copies/store_copy.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/ingest/scan.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "engine/tuning/tune.hpp"
#include "stores/local/local_store.hpp"

namespace hasten {
Document::Document(std::unique_ptr<KnowledgeBase> kb) : kb_(std::move(kb)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Document Document::open(const std::filesystem::path& folder, Settings settings, Access access) {
  auto kb = std::make_unique<KnowledgeBase>(
      folder, std::move(settings),
      access == Access::write ? SegmentStore::Access::write : SegmentStore::Access::read, "hasten");
  require_whole(kb->store);
  return Document(std::move(kb));
}

std::vector<std::string> Document::salvage(const std::filesystem::path& folder) {
  auto done = LocalStore::salvage(folder, "salvage");
  LocalStore store(folder, SegmentStore::Access::write, "salvage");
  auto writing = store.write();
  rebuild_segments(*writing, store);
  writing->commit();
  done.push_back("segments built anew");
  return done;
}

void Document::create_node_group(std::string name, std::string parent, std::unique_ptr<Transform> transform) {
  GroupDefinition definition{name, std::move(parent), std::move(transform)};
  kb_->user_groups[std::move(name)] = std::move(definition);
}

void Document::register_embedder(std::string name, std::unique_ptr<Embedder> embedder,
                                 std::unique_ptr<TokenCounter> tokens) {
  kb_->models.add(std::move(name), std::move(embedder), std::move(tokens));
}

void Document::register_index(std::string group, std::string name, std::unique_ptr<Index> index) {
  kb_->indexes.add(std::move(group), std::move(name), std::move(index));
}

void Document::register_reranker(std::string name, std::unique_ptr<const Reranker> reranker) {
  kb_->rerankers.add(std::move(name), std::move(reranker));
}

IngestReport Document::ingest(std::span<const std::filesystem::path> paths, const IngestOptions& options,
                              const OnProgress& progress, std::stop_token stop) {
  return ingest_files(*kb_, paths, options, progress, std::move(stop));
}

IngestReport Document::add(std::span<const TextDocument> documents, const IngestOptions& options,
                           const OnProgress& progress, std::stop_token stop) {
  return ingest_texts(*kb_, documents, options, progress, std::move(stop));
}

std::uint64_t Document::remove(std::span<const std::filesystem::path> paths) {
  kb_->writable();
  std::vector<std::uint32_t> documents;
  for (const auto& path : paths) {
    const auto found = documents_under(*kb_, path);
    if (found.empty()) {
      throw Error(Code::not_found, fmt::format("nothing in this knowledge base is under {}; "
                                               "`hasten status` shows where it came from",
                                               path.string()));
    }
    documents.insert(documents.end(), found.begin(), found.end());
  }
  std::sort(documents.begin(), documents.end());
  documents.erase(std::unique(documents.begin(), documents.end()), documents.end());
  remove_documents(*kb_, documents);
  return documents.size();
}

SearchResult Document::search(std::string_view query, const SearchOptions& options, Trace* trace,
                              std::stop_token stop) const {
  return hasten::search(*kb_, query, options, trace, std::move(stop)).result;
}

Answer Document::ask(std::string_view question, const AskOptions& options,
                     const std::function<void(std::string_view)>& on_token, Trace* trace,
                     std::stop_token stop) const {
  return hasten::ask(*kb_, question, options, on_token, trace, std::move(stop));
}

std::string Document::where() const { return kb_->store.where(); }

Status Document::status() const { return hasten::status(*kb_); }

VerifyReport Document::verify(bool repair, const OnProgress& progress) {
  return hasten::verify(*kb_, repair, progress);
}

TuneReport Document::tune(const TuneOptions& options, const OnProgress& progress,
                          std::stop_token stop) const {
  return hasten::tune(*kb_, options, progress, std::move(stop));
}

BackupReport Document::backup(const std::filesystem::path& to, const OnProgress& progress,
                              std::stop_token stop) const {
  return hasten::backup(*kb_, to, progress, stop);
}

RestoreReport Document::restore(const std::filesystem::path& backup, const std::filesystem::path& folder,
                                Settings settings, const RestoreOptions& options, const OnProgress& progress,
                                std::stop_token stop) {
  return hasten::restore(backup, folder, settings, options, progress, stop);
}

MigrateReport Document::migrate(const Location& from, const Location& to, Settings settings,
                                const OnProgress& progress, std::stop_token stop) {
  return hasten::migrate(from, to, std::move(settings), progress, stop);
}

std::uint64_t Document::merge(const OnProgress& progress, std::stop_token stop) {
  return hasten::merge(*kb_, progress, std::move(stop));
}

std::uint64_t Document::compact(const OnProgress& progress, std::stop_token stop) {
  return hasten::compact(*kb_, progress, std::move(stop));
}

}  // namespace hasten
