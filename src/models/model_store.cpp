#include <fmt/format.h>

#include <utility>

#include "base/files.hpp"
#include "hasten/error.hpp"
#include "hasten/models.hpp"
#include "models/catalogue.hpp"
#include "models/fingerprints.hpp"
#include "models/importers.hpp"
#include "models/install.hpp"
#include "models/llama_cross_encoder.hpp"
#include "models/llama_embedder.hpp"
#include "models/llama_generator.hpp"
#include "models/remote_generator.hpp"
#include "models/remote_reranker.hpp"
#include "models/tokenizer.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

bool is_file(std::string_view name) {
  return name.ends_with(".gguf") || name.find('/') != std::string_view::npos;
}

ModelInfo describe(const KnownModel& model, const std::optional<Installed>& installed) {
  ModelInfo info{.name = std::string(model.name),
                 .kind = std::string(model.kind),
                 .licence = std::string(model.licence),
                 .package = std::string(model.requirement),
                 .file = {},
                 .sha256 = {},
                 .bytes = model.wheel_bytes,
                 .installed = installed && installed->whole(),
                 .is_default = model.is_default};
  if (info.installed) {
    info.file = installed->file;
    info.sha256 = installed->sha256;
    info.bytes = installed->bytes;
  }
  return info;
}

const KnownModel& model_of_kind(std::string_view name, std::string_view kind) {
  const KnownModel& model = find_model(name);
  if (model.kind == kind) return model;
  throw Error(Code::invalid, fmt::format("'{}' is of the kind {}, not {}", name, model.kind, kind));
}

/// An installed model, installed now if it was not. One that was and is cut short is an error:
/// something other than us changed it.
Installed installed_model(const fs::path& home, std::string_view name, std::string_view kind,
                          const OnProgress& progress) {
  const KnownModel& model = model_of_kind(name, kind);
  const auto installed = find_installed(home, name);
  if (!installed) return install_model(home, model, progress, {});
  if (!installed->whole()) {
    std::error_code absent;
    const auto bytes = fs::file_size(installed->file, absent);
    throw Error(Code::corrupt,
                fmt::format("'{}' is cut short: {} of {} bytes; `hasten model install {}` fetches "
                            "it again",
                            installed->file.string(), absent ? 0 : bytes, installed->bytes, name));
  }
  return *installed;
}

class FileTokenCounter : public TokenCounter {
 public:
  FileTokenCounter(std::unique_ptr<const Tokenizer> tokenizer, std::string name)
      : tokenizer_(std::move(tokenizer)), name_(std::move(name)) {}
  std::size_t count(std::string_view text) const override { return tokenizer_->encode(text).size(); }
  std::string name() const override { return name_; }

 private:
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::string name_;
};

std::string fingerprint_of_file(const fs::path& home, const fs::path& file) {
  return embedder_fingerprint(remembered_sha256(home, file), EmbedderRecipe::of(file));
}

}  // namespace

fs::path home_folder() { return user_cache_folder(); }

ModelStore::ModelStore(fs::path home) : home_(std::move(home)) {}

std::vector<ModelInfo> ModelStore::list() const {
  std::vector<ModelInfo> all;
  for (const KnownModel& model : known_models()) {
    all.push_back(describe(model, find_installed(home_, model.name)));
  }
  return all;
}

ModelInfo ModelStore::install(std::string_view name, const OnProgress& progress, std::stop_token stop) const {
  const KnownModel& model = find_model(name);
  return describe(model, install_model(home_, model, progress, std::move(stop)));
}

ModelInfo ModelStore::import(const fs::path& folder, const fs::path& gguf, std::string_view type) const {
  if (type != "q8_0" && type != "f32") {
    throw Error(Code::invalid, fmt::format("no type of weights '{}'; known: q8_0, f32", type));
  }
  const fs::path part = fs::path(gguf) += ".part";
  std::string kind;
  try {
    kind = import_folder(folder, type == "f32" ? WeightType::f32 : WeightType::q8_0, part);
    fs::rename(part, gguf);
  } catch (...) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
  return {.name = fs::weakly_canonical(folder).filename().string(),
          .kind = kind,
          .licence = "not known",
          .package = {},
          .file = gguf,
          .sha256 = remembered_sha256(home_, gguf),
          .bytes = fs::file_size(gguf),
          .installed = true};
}

std::shared_ptr<const Embedder> ModelStore::embedder(std::string_view name_or_file, std::uint64_t threads,
                                                     const OnProgress& progress) const {
  if (is_file(name_or_file)) {
    const fs::path file(name_or_file);
    return open_llama_embedder(file, fingerprint_of_file(home_, file), threads);
  }
  const Installed model = installed_model(home_, name_or_file, "embedder", progress);
  return open_llama_embedder(model.file, model.fingerprint, threads);
}

std::shared_ptr<const TokenCounter> ModelStore::token_counter(std::string_view name_or_file,
                                                              const OnProgress& progress) const {
  if (is_file(name_or_file)) {
    const fs::path file(name_or_file);
    return std::make_shared<FileTokenCounter>(open_tokenizer(file), "gguf:" + remembered_sha256(home_, file));
  }
  const Installed model = installed_model(home_, name_or_file, "embedder", progress);
  return std::make_shared<FileTokenCounter>(open_tokenizer(model.file), std::string(name_or_file));
}

std::string ModelStore::fingerprint(std::string_view name_or_file, const OnProgress& progress) const {
  if (is_file(name_or_file)) return fingerprint_of_file(home_, name_or_file);
  return installed_model(home_, name_or_file, "embedder", progress).fingerprint;
}

std::shared_ptr<const Generator> ModelStore::generator(std::string_view name_or_file_or_url,
                                                       std::uint64_t threads,
                                                       const OnProgress& progress) const {
  if (is_url(name_or_file_or_url)) return open_remote_generator(name_or_file_or_url);
  if (is_file(name_or_file_or_url)) {
    const fs::path file(name_or_file_or_url);
    return open_llama_generator(file, file.stem().string(), {}, threads);
  }
  const Installed model = installed_model(home_, name_or_file_or_url, "generator", progress);
  // The one generator of the catalogue was trained on English and writes no other language well.
  return open_llama_generator(model.file, std::string(name_or_file_or_url), {"en"}, threads);
}

std::string ModelStore::generator_fingerprint(std::string_view name_or_file_or_url,
                                              const OnProgress& progress) const {
  if (is_url(name_or_file_or_url)) return "";
  if (is_file(name_or_file_or_url)) return remembered_sha256(home_, fs::path(name_or_file_or_url));
  return installed_model(home_, name_or_file_or_url, "generator", progress).sha256;
}

std::shared_ptr<const Reranker> ModelStore::reranker(std::string_view file_or_url,
                                                     std::uint64_t threads) const {
  if (is_url(file_or_url)) return open_remote_reranker(file_or_url);
  const fs::path file(file_or_url);
  return open_llama_cross_encoder(file, remembered_sha256(home_, file), threads);
}

void ModelStore::check_generator(std::string_view name_or_file_or_url) const {
  if (is_url(name_or_file_or_url)) return;
  if (!is_file(name_or_file_or_url))
    return static_cast<void>(model_of_kind(name_or_file_or_url, "generator"));
  if (fs::is_regular_file(name_or_file_or_url)) return;
  throw Error(Code::not_found, fmt::format("no model file '{}'", name_or_file_or_url));
}

}  // namespace hasten
