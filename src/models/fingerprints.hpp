#pragma once

#include <filesystem>
#include <string>

namespace hasten {

/// The SHA-256 of a model file. It is computed once: `home`/fingerprints.json remembers it for as
/// long as the file's path, size and time of change stay. @throws Error(not_found|io)
std::string remembered_sha256(const std::filesystem::path& home, const std::filesystem::path& file);

}  // namespace hasten
