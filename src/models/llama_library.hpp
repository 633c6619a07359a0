#pragma once

#include <llama-cpp.h>

#include <filesystem>
#include <string>

namespace hasten {

/// Keeps llama.cpp from writing to stderr ($HASTEN_LLAMA_LOG=1 lets it), from now on. Thread-safe.
void quieten_llama();

/// Loads the kernels that suit this processor, once in a process, and quietens llama.cpp.
/// Thread-safe; about 5 ms the first time.
/// @throws Error(not_found) the kernels are not where the library is.
void load_llama();

/// What llama.cpp last complained of on this thread; empty when of nothing since the last call.
std::string take_llama_error();

enum class Load { weights, vocabulary };

/// Opens a GGUF file. Its weights are mapped, not read.
/// @throws Error(not_found) no such file; Error(corrupt) cut short, or not a model.
llama_model_ptr open_llama_model(const std::filesystem::path& file, Load what);

/// The value of a key in the file's metadata, as text; `otherwise` where it is absent.
std::string metadata(const llama_model& model, const std::string& key, std::string otherwise = {});

}  // namespace hasten
