#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "hasten/settings.hpp"
#include "models/catalogue.hpp"

namespace hasten {

/// What is kept beside an installed model, as JSON. It is written last: where it is, the model
/// was whole.
struct Installed {
  std::filesystem::path file;  ///< the GGUF
  std::string sha256;          ///< of the GGUF
  std::uint64_t bytes = 0;     ///< of the GGUF
  std::string fingerprint;     ///< of an embedder; empty of a generator

  /// Whether the file still has the size that it was installed with.
  bool whole() const;
};

/// What is installed of a model under `home`; nothing when it is not, or not wholly.
std::optional<Installed> find_installed(const std::filesystem::path& home, std::string_view name);

/// Makes sure that a model is installed, doing only what is left to do. One process at a time
/// installs a model; others wait for it.
/// @throws Error(unavailable) pip cannot be run or failed, with its words; Error(corrupt) a wrong
///         checksum; Error(full|io); Error(cancelled).
Installed install_model(const std::filesystem::path& home, const KnownModel& model,
                        const OnProgress& progress, std::stop_token stop);

}  // namespace hasten
