#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/knowledge_base.hpp"
#include "hasten/tune.hpp"

namespace hasten {

/// Document::tune().
TuneReport tune(KnowledgeBase& kb, const TuneOptions& options, const OnProgress& progress,
                std::stop_token stop);

/// Where it builds indexes, under a knowledge base, and the lock that says that it does.
std::filesystem::path tuning_folder(const std::filesystem::path& kb);
std::filesystem::path tuning_lock(const std::filesystem::path& kb);

struct TuneChoice {
  std::optional<std::size_t> chosen;
  std::string reason;
};

/// Of what was measured, the fastest that reaches the recall and keeps to the limits; what takes at most a
/// twentieth longer counts as equally fast, and of those the one of the least memory is taken, then disk.
TuneChoice choose(const TuneReport& report, const TuneOptions& options);

}  // namespace hasten
