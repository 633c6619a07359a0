// ingest, remove, status, verify, compact: what changes a knowledge base or looks after it.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

struct IngestArguments {
  std::vector<fs::path> paths;
  IngestOptions options;
  bool no_embed = false;
  std::string embedder;
};

Json to_json(const IngestReport& report) {
  Json failures = Json::array();
  for (const IngestFailure& failure : report.failures)
    failures.push_back(
        {{"path", failure.path}, {"error", to_string(failure.error)}, {"message", failure.message}});
  return {{"files_seen", report.files_seen},
          {"files_new", report.files_new},
          {"files_changed", report.files_changed},
          {"files_moved", report.files_moved},
          {"files_unchanged", report.files_unchanged},
          {"files_removed", report.files_removed},
          {"files_skipped", report.files_skipped},
          {"files_failed", report.files_failed},
          {"nodes_added", report.nodes_added},
          {"nodes_removed", report.nodes_removed},
          {"texts_embedded", report.texts_embedded},
          {"bytes_read", report.bytes_read},
          {"bytes_written", report.bytes_written},
          {"seconds", report.seconds},
          {"stages", cli::to_json(report.stages)},
          {"failures", std::move(failures)},
          {"notices", report.notices}};
}

/// "10 new, 1 failed": the counts that are not zero.
std::string counts(std::initializer_list<std::pair<std::uint64_t, std::string_view>> parts) {
  std::string text;
  for (const auto& [count, word] : parts)
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, word);
  return text.empty() ? "nothing" : text;
}

void print_summary(const IngestReport& r) {
  print_line(fmt::format("{} files: {}", r.files_seen,
                         counts({{r.files_new, "new"},
                                 {r.files_changed, "changed"},
                                 {r.files_moved, "moved"},
                                 {r.files_unchanged, "unchanged"},
                                 {r.files_removed, "removed"},
                                 {r.files_skipped, "skipped"},
                                 {r.files_failed, "failed"}})));
  print_line(fmt::format("nodes: {}; texts embedded: {}",
                         counts({{r.nodes_added, "added"}, {r.nodes_removed, "removed"}}), r.texts_embedded));
  print_line(fmt::format("{} read, {} written, {}", human_bytes(r.bytes_read), human_bytes(r.bytes_written),
                         human_seconds(r.seconds)));
}

Exit ingest(Context& context, const IngestArguments& arguments) {
  IngestOptions options = arguments.options;
  options.embed = !arguments.no_embed;
  Settings settings = context.settings();
  if (!arguments.embedder.empty()) settings.embedder = arguments.embedder;
  Document document = Document::open(context.options.kb, settings, Document::Access::write);
  Meter meter(context.options.quiet);
  const IngestReport report =
      document.ingest(arguments.paths, options, meter.callback(), context.interrupts.token());
  meter.clear();  // the notices were shown while they came
  if (context.options.json)
    print_json(to_json(report));
  else
    print_summary(report);
  if (!context.options.json)
    for (const IngestFailure& f : report.failures)
      fmt::print(stderr, "failed: {}: {}: {}\n", f.path, to_string(f.error), f.message);
  return report.files_failed > 0 ? Exit::in_part : Exit::done;
}

Exit remove(Context& context, const std::vector<fs::path>& paths) {
  Document document = context.open(Document::Access::write);
  const std::uint64_t removed = document.remove(paths);
  if (context.options.json)
    print_json({{"removed", removed}});
  else
    print_line(fmt::format("{} documents removed", removed));
  return Exit::done;
}

Json caches_json(const Status& s) {
  Json all = Json::object();
  for (const CacheUse& use : s.caches) {
    all[use.name] = {{"where", use.where},     {"hits", use.hits},       {"misses", use.misses},
                     {"puts", use.puts},       {"evicted", use.evicted}, {"errors", use.errors},
                     {"skipped", use.skipped}, {"entries", use.entries}, {"bytes", use.bytes}};
  }
  return all;
}

Json to_json(const std::vector<StoreStatus>& stores) {
  Json object = Json::object();
  for (const StoreStatus& store : stores) {
    Json& of = object[store.role] = {{"type", store.type}, {"where", store.where}};
    if (store.sent) of["sent"] = *store.sent;
    if (store.waiting) of["waiting"] = *store.waiting;
    for (const auto& [group, r] : store.recall) {
      of["recall"][group] = {{"recall", r.recall}, {"candidates", r.candidates}, {"questions", r.questions}};
    }
  }
  return object;
}

Json to_json(const Status& s) {
  return {{"folder", s.folder},           {"commit", s.commit},
          {"documents", s.documents},     {"documents_failed", s.documents_failed},
          {"texts_bytes", s.texts_bytes}, {"nodes", s.nodes},
          {"vectors", s.vectors},         {"vectors_missing", s.vectors_missing},
          {"segments", s.segments},       {"bytes", s.bytes},
          {"stores", to_json(s.stores)},  {"fingerprints", s.fingerprints},
          {"caches", caches_json(s)},     {"most_asked", s.most_asked},
          {"notices", s.notices}};
}

void print_row(std::string_view name, std::string_view value) {
  print_line(padded(name, 26) + std::string(value));
}

void print_status(const Status& s) {
  print_row("folder", s.folder);
  print_row("commit", std::to_string(s.commit));
  print_row("documents", s.documents_failed == 0
                             ? std::to_string(s.documents)
                             : fmt::format("{} ({} failed)", s.documents, s.documents_failed));
  print_row("text", human_bytes(s.texts_bytes));
  for (const auto& [group, count] : s.nodes) print_row("nodes " + group, std::to_string(count));
  print_row("vectors", s.vectors_missing == 0 ? std::to_string(s.vectors)
                                              : fmt::format("{} ({} missing)", s.vectors, s.vectors_missing));
  print_row("segments", std::to_string(s.segments));
  for (const StoreStatus& store : s.stores) {
    print_row(store.role, store.sent ? fmt::format("{}; {} vectors sent, {} waiting", store.where,
                                                   *store.sent, store.waiting.value_or(0))
                          : store.where == s.folder ? store.type
                                                    : store.where);
    for (const auto& [group, r] : store.recall) {
      print_row("recall " + group,
                fmt::format("{:.4f} of the 10 nearest ({} questions), {}", r.recall, r.questions,
                            r.candidates > 0 ? fmt::format("with {} candidates", r.candidates)
                                             : "too few: all are scored here"));
    }
  }
  for (const auto& [kind, bytes] : s.bytes) print_row("bytes " + kind, human_bytes(bytes));
  for (const auto& [what, name] : s.fingerprints) print_row("fingerprint " + what, name);
  for (const CacheUse& use : s.caches) {
    if (use.entries > 0)
      print_row("cache " + use.name, fmt::format("{} entries in {}", use.entries, use.where));
  }
  for (const auto& [question, n] : s.most_asked) print_row("asked " + std::to_string(n), question);
}

Exit status(Context& context) {
  const Status status = context.open(Document::Access::read).status();
  if (context.options.json)
    print_json(to_json(status));
  else
    print_status(status);
  context.notes(status.notices);
  return Exit::done;
}

/// Opens for verify; a knowledge base in a folder that is too damaged to open is salvaged first where it may
/// be repaired.
Document open_to_verify(Context& context, bool repair, std::vector<std::string>& salvaged) {
  try {
    return context.open(repair ? Document::Access::write : Document::Access::read);
  } catch (const Error& error) {
    const bool local = context.settings().stores.segment_store.type == "local";
    if (!repair || !local || error.code() != Code::damaged) throw;
    salvaged = Document::salvage(context.options.kb);
    return context.open(Document::Access::write);
  }
}

/// Repairing is followed by another look: only what is then still wrong counts.
Exit verify(Context& context, bool repair) {
  std::vector<std::string> salvaged;
  Document document = open_to_verify(context, repair, salvaged);
  Meter meter(context.options.quiet);
  VerifyReport report = document.verify(repair, meter.callback());
  report.repaired.insert(report.repaired.begin(), salvaged.begin(), salvaged.end());
  const std::vector<std::string> left =
      repair ? document.verify(false, meter.callback()).problems : report.problems;
  meter.clear();
  const std::string message =
      fmt::format("{} problems in {}{}", left.size(), document.where(),
                  repair ? " are left after the repair; ingest the documents anew" : "; run verify --repair");
  if (context.options.json) {
    Json object = {{"ok", left.empty()},
                   {"checked", report.checked},
                   {"problems", report.problems},
                   {"repaired", report.repaired},
                   {"remaining", left}};
    if (!left.empty()) object.update({{"error", "damaged"}, {"message", message}});
    print_json(object);
  } else {
    for (const auto& [kind, count] : report.checked) print_row("checked " + kind, std::to_string(count));
    for (const std::string& problem : report.problems) print_line("problem: " + problem);
    for (const std::string& repaired : report.repaired) print_line("repaired: " + repaired);
    if (left.empty()) print_line(report.problems.empty() ? "no problems" : "all repaired");
  }
  if (left.empty()) return Exit::done;
  print_error(Code::damaged, message);
  return Exit::failed;
}

Exit compact(Context& context) {
  Document document = context.open(Document::Access::write);
  Meter meter(context.options.quiet);
  const std::uint64_t freed = document.compact(meter.callback(), context.interrupts.token());
  meter.clear();
  if (context.options.json)
    print_json({{"bytes_freed", freed}});
  else
    print_line(fmt::format("{} given back", human_bytes(freed)));
  return Exit::done;
}

}  // namespace

Action define_ingest(CLI::App& app) {
  auto arguments = std::make_shared<IngestArguments>();
  app.add_option("PATH", arguments->paths, "files and folders")->required();
  app.add_option("--include", arguments->options.include, "only files that match; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", arguments->options.exclude, "not the files that match; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--group", arguments->options.groups, "also make these node groups; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--embedder", arguments->embedder, "the embedding model of a new knowledge base")
      ->type_name("NAME|FILE.gguf");
  app.add_flag("--prune", arguments->options.prune, "forget documents of roots that are gone or empty");
  app.add_flag("--no-embed", arguments->no_embed, "words only; vectors come with the next ingest");
  return [arguments](Context& context) { return ingest(context, *arguments); };
}

Action define_remove(CLI::App& app) {
  auto paths = std::make_shared<std::vector<fs::path>>();
  app.add_option("PATH", *paths, "files and folders to forget")->required();
  return [paths](Context& context) { return remove(context, *paths); };
}

Action define_status(CLI::App&) { return status; }

Action define_verify(CLI::App& app) {
  auto repair = std::make_shared<bool>(false);
  app.add_flag("--repair", *repair, "rebuild what is derived, salvage what is not");
  return [repair](Context& context) { return verify(context, *repair); };
}

Action define_compact(CLI::App&) { return compact; }

}  // namespace hasten::cli
