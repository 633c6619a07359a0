// backup and restore.
#include <fmt/format.h>

#include <memory>

#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

template <class Report>
Json counts_of(const Report& report) {
  return {{"commit", report.commit},   {"documents", report.documents}, {"nodes", report.nodes},
          {"vectors", report.vectors}, {"bytes", report.bytes},         {"seconds", report.seconds},
          {"verified", true},          {"checked", report.checked}};
}

template <class Report>
std::string summary(const Report& report) {
  return fmt::format(
      "commit {}: {} documents, {} nodes, {} vectors; {} in {}; all of it was read again and is whole",
      report.commit, report.documents, report.nodes, report.vectors, human_bytes(report.bytes),
      human_seconds(report.seconds));
}

Exit backup(Context& context, const fs::path& to) {
  const Document document = context.open(Document::Access::read);
  Meter meter(context.options.quiet);
  const BackupReport report = document.backup(to, meter.callback(), context.interrupts.token());
  meter.clear();
  if (context.options.json) {
    Json object = counts_of(report);
    object["folder"] = to.string();
    object["replaced"] = report.replaced;
    object["notices"] = report.notices;
    print_json(object);
  } else {
    print_line(summary(report));
    if (report.replaced) print_line(fmt::format("it took the place of an older backup in {}", to.string()));
  }
  return Exit::done;
}

struct RestoreArguments {
  fs::path from;
  RestoreOptions options;
};

Exit restore(Context& context, const RestoreArguments& arguments) {
  Meter meter(context.options.quiet);
  const RestoreReport report =
      Document::restore(arguments.from, context.options.kb, context.settings(), arguments.options,
                        meter.callback(), context.interrupts.token());
  meter.clear();
  if (context.options.json) {
    Json object = counts_of(report);
    object["folder"] = context.options.kb.string();
    object["notices"] = report.notices;
    print_json(object);
  } else {
    print_line(summary(report));
  }
  return Exit::done;
}

}  // namespace

Action define_backup(CLI::App& app) {
  auto to = std::make_shared<fs::path>();
  app.add_option("DIR", *to, "a new or empty folder, or an older backup of the same")->required();
  return [to](Context& context) { return backup(context, *to); };
}

Action define_restore(CLI::App& app) {
  auto arguments = std::make_shared<RestoreArguments>();
  app.add_option("DIR", arguments->from, "the backup")->required();
  app.add_flag("--force", arguments->options.force, "replace the knowledge base that is there");
  return [arguments](Context& context) { return restore(context, *arguments); };
}

}  // namespace hasten::cli
