#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/ingest/document_batch.hpp"
#include "engine/knowledge_base.hpp"

namespace hasten {

/// Brings a knowledge base up to date with files and folders, or with texts given by a program.
/// The order of work: look (scan, hash), read and split with the words indexed in the same commits,
/// then embed what has no vector, then merge. Every commit is a legal state to stop at.
IngestReport ingest_files(KnowledgeBase& kb, std::span<const std::filesystem::path> paths,
                          const IngestOptions& options, const OnProgress& progress, std::stop_token stop);
IngestReport ingest_texts(KnowledgeBase& kb, std::span<const TextDocument> documents,
                          const IngestOptions& options, const OnProgress& progress, std::stop_token stop);

/// Forgets documents (and marks their nodes deleted), in one commit. @return nodes removed, without
/// those of root.
std::uint64_t remove_documents(KnowledgeBase& kb, std::span<const std::uint32_t> documents);

/// Embeds the texts of a small batch before it is committed, so that one commit makes it searchable by
/// words and by meaning. Nothing where it is too large, has all vectors, or cannot be embedded now:
/// embed_pending() says why.
std::optional<EmbeddedTexts> embed_ahead(KnowledgeBase& kb, const std::vector<PlannedGroup>& plan,
                                         std::span<const PreparedDocument> batch, std::stop_token stop);

/// Embeds the texts that have no vector and publishes their segments. @return texts embedded.
std::uint64_t embed_pending(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop,
                            Trace* trace);

}  // namespace hasten
