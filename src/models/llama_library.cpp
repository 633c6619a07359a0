#include "models/llama_library.hpp"

#include <fmt/format.h>
#include <ggml-backend.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/resources.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

// The least demanding of the kernel modules, which is there wherever any is.
#if defined(__aarch64__)
constexpr std::string_view kPlainKernels = "libggml-cpu-armv8.0_1.so";
#else
constexpr std::string_view kPlainKernels = "libggml-cpu-x64.so";
#endif

std::string& last_error() {
  thread_local std::string text;
  return text;
}

void keep_errors(ggml_log_level level, const char* text, void* /*unused*/) {
  if (level == GGML_LOG_LEVEL_ERROR) last_error() = text;
}

void write_all_of_it(ggml_log_level /*level*/, const char* text, void* /*unused*/) {
  std::fputs(text, stderr);
}

bool set_log() {
  const char* wanted = std::getenv("HASTEN_LLAMA_LOG");
  const bool aloud = wanted != nullptr && std::string_view(wanted) == "1";
  llama_log_set(aloud ? write_all_of_it : keep_errors, nullptr);
  return true;
}

bool load_kernels() {
  quieten_llama();
  ggml_backend_load_all_from_path(resource(kPlainKernels).parent_path().c_str());
  llama_backend_init();
  return true;
}

}  // namespace

void quieten_llama() { [[maybe_unused]] static const bool set = set_log(); }

void load_llama() { [[maybe_unused]] static const bool loaded = load_kernels(); }

std::string take_llama_error() { return std::string(utf8::trim(std::exchange(last_error(), {}))); }

llama_model_ptr open_llama_model(const std::filesystem::path& file, Load what) {
  load_llama();
  if (!std::filesystem::is_regular_file(file)) {
    throw Error(Code::not_found, fmt::format("no model file '{}'", file.string()));
  }
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  params.load_mode = LLAMA_LOAD_MODE_MMAP;
  params.vocab_only = what == Load::vocabulary;
  llama_model_ptr model(llama_model_load_from_file(file.c_str(), params));
  if (!model) {
    throw Error(Code::corrupt,
                fmt::format("'{}' is not a whole GGUF model: {}", file.string(), take_llama_error()));
  }
  return model;
}

std::string metadata(const llama_model& model, const std::string& key, std::string otherwise) {
  const auto bytes = llama_model_meta_val_str(&model, key.c_str(), nullptr, 0);
  if (bytes < 0) return otherwise;
  std::string value(static_cast<std::size_t>(bytes) + 1, '\0');
  llama_model_meta_val_str(&model, key.c_str(), value.data(), value.size());
  value.pop_back();
  return value;
}

}  // namespace hasten
