// model list, model install, model import.
#include <fmt/format.h>

#include <memory>

#include "hasten/models.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

Json to_json(const ModelInfo& m) {
  return {{"name", m.name},       {"kind", m.kind},           {"licence", m.licence},
          {"package", m.package}, {"file", m.file.string()},  {"sha256", m.sha256},
          {"bytes", m.bytes},     {"installed", m.installed}, {"default", m.is_default}};
}

void print_models(const Context& context, const std::vector<ModelInfo>& models) {
  if (context.options.json) {
    Json list = Json::array();
    for (const ModelInfo& model : models) list.push_back(to_json(model));
    print_json({{"models", std::move(list)}});
    return;
  }
  for (const ModelInfo& m : models)
    print_line(fmt::format(
        "{} {} {:>10}  {} {}", padded(m.name, 26), padded(m.kind, 10), human_bytes(m.bytes),
        padded(m.licence, 12),
        fmt::format("{}{}", m.installed ? "installed" : "not installed", m.is_default ? ", default" : "")));
}

Exit model_list(Context& context) {
  print_models(context, ModelStore().list());
  return Exit::done;
}

std::vector<std::string> default_models(const ModelStore& store) {
  std::vector<std::string> names;
  for (const ModelInfo& model : store.list())
    if (model.is_default) names.push_back(model.name);
  return names;
}

Exit model_install(Context& context, std::vector<std::string> names) {
  const ModelStore store;
  if (names.empty()) names = default_models(store);
  Meter meter(context.options.quiet);
  std::vector<ModelInfo> installed;
  for (const std::string& name : names)
    installed.push_back(store.install(name, meter.callback(), context.interrupts.token()));
  meter.clear();
  print_models(context, installed);
  return Exit::done;
}

struct ImportArguments {
  std::filesystem::path folder, out;
  std::string type = "q8_0";
};

Exit model_import(Context& context, const ImportArguments& a) {
  const std::filesystem::path named =
      std::filesystem::weakly_canonical(a.folder).filename().string() + ".gguf";
  print_models(context, {ModelStore().import(a.folder, a.out.empty() ? named : a.out, a.type)});
  return Exit::done;
}

}  // namespace

Action define_model_list(CLI::App&) { return model_list; }

Action define_model_import(CLI::App& app) {
  auto a = std::make_shared<ImportArguments>();
  app.add_option("FOLDER", a->folder, "config.json, model.safetensors and vocab.txt of a BERT")->required();
  app.add_option("--out", a->out, "the file to write; else the folder's name here")->type_name("FILE.gguf");
  app.add_option("--type", a->type, "how the weights are kept: q8_0 or f32")
      ->type_name("TYPE")
      ->capture_default_str();
  return [a](Context& context) { return model_import(context, *a); };
}

Action define_model_install(CLI::App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("NAME", *names, "the models; none: the default embedder and generator");
  return [names](Context& context) { return model_install(context, *names); };
}

}  // namespace hasten::cli
