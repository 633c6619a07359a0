#pragma once

#include <filesystem>
#include <span>
#include <stop_token>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// Brings a knowledge base up to date with files and folders, or with texts given by a program.
/// The order of work: look (scan, hash), read and split with the words indexed in the same commits,
/// then embed what has no vector, then merge. Every commit is a legal state to stop at.
IngestReport ingest_files(KnowledgeBase& kb, std::span<const std::filesystem::path> paths,
                          const IngestOptions& options, const OnProgress& progress,
                          std::stop_token stop);
IngestReport ingest_texts(KnowledgeBase& kb, std::span<const TextDocument> documents,
                          const IngestOptions& options, const OnProgress& progress,
                          std::stop_token stop);

/// Forgets documents (and marks their nodes deleted), in one commit. @return nodes removed, without
/// those of root.
std::uint64_t remove_documents(KnowledgeBase& kb, std::span<const std::uint32_t> documents);

/// Embeds the texts that have no vector and publishes their segments. @return texts embedded.
std::uint64_t embed_pending(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop,
                            Trace* trace);

}  // namespace hasten
