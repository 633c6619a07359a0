#include <fmt/format.h>
#include <llama.h>

#include "base/threads.hpp"
#include "hasten/error.hpp"
#include "models/importers.hpp"
#include "models/llama_library.hpp"

namespace hasten {

void requantise(const std::filesystem::path& from, const std::filesystem::path& gguf) {
  load_llama();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = LLAMA_FTYPE_MOSTLY_Q8_0;
  params.allow_requantize = true;
  params.nthread = static_cast<std::int32_t>(thread_count());
  if (llama_model_quantize(from.c_str(), gguf.c_str(), &params) == 0) return;
  const auto space = std::filesystem::space(gguf.parent_path());
  const bool full = space.available < 2 * std::filesystem::file_size(from);
  throw Error(full ? Code::full : Code::corrupt,
              fmt::format("'{}' cannot be quantised: {}", from.string(), take_llama_error()));
}

}  // namespace hasten
