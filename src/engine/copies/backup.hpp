#pragma once

#include <filesystem>
#include <stop_token>

#include "engine/knowledge_base.hpp"
#include "hasten/transfer.hpp"

namespace hasten {

/// What lies beside the files of a knowledge base that is a backup, and makes it one: what it is of.
inline constexpr std::string_view kBackupFile = "backup.json";

BackupReport backup(const KnowledgeBase& kb, const std::filesystem::path& to, const OnProgress& progress,
                    const std::stop_token& stop);

/// Into a local knowledge base in `to`, or by migrate() into the segment store that the settings say.
RestoreReport restore(const std::filesystem::path& from, const std::filesystem::path& to,
                      const Settings& settings, const RestoreOptions& options, const OnProgress& progress,
                      const std::stop_token& stop);

/// @throws Error(not_found) it is no backup.
void require_backup(const std::filesystem::path& folder);

}  // namespace hasten
