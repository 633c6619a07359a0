// read, split, embed: one step of the way from a file to vectors, to look at.
#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "base/utf8.hpp"
#include "core/metadata.hpp"
#include "hasten/models.hpp"
#include "hasten/transform.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "readers/readers.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

// ---- read ----

Exit read(Context& context, const fs::path& file) {
  const Extracted extracted = FileReader(context.settings().limits).read(file);
  if (context.options.json)
    print_json({{"text", extracted.text},
                {"metadata", hasten::to_json(extracted.metadata)},
                {"format", extracted.format},
                {"pages", extracted.pages}});
  else
    print(extracted.text);
  return Exit::done;
}

// ---- split ----

struct SplitArguments {
  std::string file;
  std::string splitter = "sentence";
  std::string model;
  SplitOptions options;
};

Extracted read_input(const Context& context, const std::string& file) {
  if (file != "-") return FileReader(context.settings().limits).read(fs::path(file));
  const std::string bytes(std::istreambuf_iterator<char>(std::cin), {});
  return {.text = utf8::sanitise(bytes), .metadata = {}, .format = "txt", .pages = {}};
}

std::string embedder_name(const Context& context, const std::string& model) {
  if (!model.empty()) return model;
  const std::string configured = context.settings().embedder;
  return configured.empty() ? std::string(kDefaultEmbedder) : configured;
}

Exit split(Context& context, const SplitArguments& arguments) {
  if (arguments.options.chunk_overlap >= arguments.options.chunk_size)
    throw Error(Code::invalid, "--chunk-overlap takes less than --chunk-size");
  Meter meter(context.options.quiet);
  std::shared_ptr<const TokenCounter> tokens;
  if (arguments.splitter != "character")
    tokens = ModelStore().token_counter(embedder_name(context, arguments.model), meter.callback());
  const auto splitter = make_splitter(arguments.splitter, arguments.options, tokens);
  Extracted input = read_input(context, arguments.file);
  Node root;
  root.group = "root";
  root.span = {0, input.text.size()};
  root.text = std::move(input.text);
  root.metadata = std::move(input.metadata);
  const std::vector<Piece> pieces = splitter->apply(root);
  meter.clear();

  Json nodes = Json::array();
  for (const Piece& piece : pieces) {
    const std::string text =
        piece.derived ? piece.text : root.text.substr(piece.span.from, piece.span.size());
    if (context.options.json)
      nodes.push_back(
          {{"text", text}, {"span", to_json(piece.span)}, {"metadata", hasten::to_json(piece.metadata)}});
    else
      print_line(fmt::format("--- {}-{}\n{}", piece.span.from, piece.span.to, text));
  }
  if (context.options.json) print_json({{"nodes", std::move(nodes)}, {"signature", splitter->signature()}});
  return Exit::done;
}

// ---- embed ----

struct EmbedArguments {
  std::vector<std::string> texts;
  std::string model;
  std::string role = "passage";
};

Exit embed(Context& context, const EmbedArguments& arguments) {
  const std::string name = embedder_name(context, arguments.model);
  Meter meter(context.options.quiet);
  const auto embedder = ModelStore().embedder(name, context.settings().threads, meter.callback());
  const std::vector<std::string_view> texts(arguments.texts.begin(), arguments.texts.end());
  const Matrix vectors = embedder->embed(texts, arguments.role == "query" ? Role::query : Role::passage,
                                         context.interrupts.token());
  meter.clear();

  Json rows = Json::array();
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    const auto row = vectors.row(i);
    if (context.options.json)
      rows.push_back(std::vector<float>(row.begin(), row.end()));
    else
      print_line(fmt::format("{:.6f}", fmt::join(row, " ")));
  }
  if (context.options.json)
    print_json({{"model", name},
                {"dim", vectors.dim},
                {"vectors", std::move(rows)},
                {"role", arguments.role},
                {"fingerprint", embedder->fingerprint()}});
  return Exit::done;
}

}  // namespace

Action define_read(CLI::App& app) {
  auto file = std::make_shared<fs::path>();
  app.add_option("FILE", *file, "the file to read")->required();
  return [file](Context& context) { return read(context, *file); };
}

Action define_split(CLI::App& app) {
  auto a = std::make_shared<SplitArguments>();
  app.add_option("FILE", a->file, "a file, or - for text on stdin")->required();
  app.add_option("--splitter", a->splitter, "sentence, recursive, character or markdown")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--chunk-size", a->options.chunk_size, "the longest piece, in tokens or characters")
      ->type_name("N")
      ->check(at_least_one())
      ->capture_default_str();
  app.add_option("--chunk-overlap", a->options.chunk_overlap, "how much of it the next may repeat")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--model", a->model, "the embedder whose tokens are counted")->type_name("NAME|FILE.gguf");
  return [a](Context& context) { return split(context, *a); };
}

Action define_embed(CLI::App& app) {
  auto a = std::make_shared<EmbedArguments>();
  app.add_option("TEXT", a->texts, "the texts")->required();
  app.add_option("--model", a->model, "the embedder")->type_name("NAME|FILE.gguf");
  app.add_option("--role", a->role, "query or passage: some models prefix them differently")
      ->type_name("ROLE")
      ->check(checked_by([](const std::string& word) {
        if (word != "query" && word != "passage")
          throw Error(Code::invalid, fmt::format("no role '{}'; known: query, passage", word));
      }))
      ->capture_default_str();
  return [a](Context& context) { return embed(context, *a); };
}

}  // namespace hasten::cli
