#include <fmt/format.h>

#include <memory>

#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

struct MigrateArguments {
  std::string from, to;
};

Json to_json(const ContentDigests& content) {
  Json object = Json::object();
  for (const auto& [kind, digest] : content) {
    object[kind] = {{"count", digest.count}, {"checksum", fmt::format("{:016x}", digest.checksum)}};
  }
  return object;
}

Json to_json(const MigrateReport& report) {
  const Json content = to_json(report.content);
  return {{"from_commit", report.from_commit},
          {"commit", report.commit},
          {"resumed", report.resumed},
          {"documents_copied", report.documents_copied},
          {"nodes_copied", report.nodes_copied},
          {"vectors_copied", report.vectors_copied},
          {"vectors_sent", report.vectors_sent},
          {"equal", true},
          {"from", content},
          {"to", content},
          {"seconds", report.seconds},
          {"notices", report.notices}};
}

void print_report(const MigrateReport& report) {
  for (const auto& [kind, digest] : report.content) {
    print_line(fmt::format("{}{:>12}  {:016x}", padded(kind, 26), digest.count, digest.checksum));
  }
  print_line(fmt::format("equal on both sides; commit {} was moved in {}{}", report.from_commit,
                         human_seconds(report.seconds),
                         report.resumed ? ", going on where an earlier run had stopped" : ""));
  if (report.vectors_sent > 0)
    print_line(fmt::format("{} vectors are in the vector store", report.vectors_sent));
}

Exit migrate(Context& context, const MigrateArguments& arguments) {
  const Location from = Location::parse(arguments.from, context.options.kb);
  const Location to = Location::parse(arguments.to, context.options.kb);
  Meter meter(context.options.quiet);
  const MigrateReport report =
      Document::migrate(from, to, context.settings(), meter.callback(), context.interrupts.token());
  meter.clear();
  if (context.options.json)
    print_json(to_json(report));
  else
    print_report(report);
  return Exit::done;
}

CLI::Option* add_location(CLI::App& app, const char* name, std::string& text, const char* help) {
  return app.add_option(name, text, help)
      ->type_name("DIR|JSON")
      ->required()
      ->check(checked_by([](const std::string& given) { Location::parse(given, {}); }));
}

}  // namespace

Action define_migrate(CLI::App& app) {
  auto arguments = std::make_shared<MigrateArguments>();
  add_location(app, "--from", arguments->from, "where it is: a folder, or what --store takes");
  add_location(app, "--to", arguments->to, "where it is to be: the same; local parts of JSON are in --kb");
  return [arguments](Context& context) { return migrate(context, *arguments); };
}

}  // namespace hasten::cli
