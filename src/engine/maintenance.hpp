#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <vector>

#include "engine/knowledge_base.hpp"

namespace hasten {

Status status(KnowledgeBase& kb);

/// Checks every row, text frame, vector and segment block; with `repair` rebuilds what is derived
/// and lets go of what cannot be (a damaged document is read again by the next ingest).
VerifyReport verify(KnowledgeBase& kb, bool repair, const OnProgress& progress);

/// Merges all segments, drops unused vectors, vacuums. @return bytes given back.
std::uint64_t compact(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop);

/// Merges what is worth it, and measures recall where graphs are new. @return segments that are gone.
std::size_t merge(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop);

/// Documents whose file is `path` or lies under it; where there are none, those whose shown path is so.
/// Costs a look-up, and a scan only in the second case.
std::vector<std::uint32_t> documents_under(KnowledgeBase& kb, const std::filesystem::path& path);

}  // namespace hasten
