// tune: which index suits this corpus.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>

#include "base/files.hpp"
#include "chart.hpp"
#include "dataset.hpp"
#include "engine/settings/configuration_edit.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "terminal.hpp"
#include "verbs.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kUsPerSecond = 1e6;

struct TuneArguments {
  TuneOptions options;
  fs::path queries, svg;
  std::string kinds, codes;
  bool write = false;
};

/// The words between commas.
std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    words.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<IndexKind> kinds_of(const std::string& list) {
  std::vector<IndexKind> kinds;
  for (const std::string& word : words_of(list)) {
    kinds.push_back(index_kind_from_string(word));
    if (kinds.back() == IndexKind::smart)
      throw Error(Code::invalid, "smart is a choice among the others and cannot be measured; name others");
  }
  return kinds;
}

std::vector<VectorCodes> codes_of(const std::string& list) {
  std::vector<VectorCodes> codes;
  for (const std::string& word : words_of(list)) codes.push_back(vector_codes_from_string(word));
  return codes;
}

// ---- What is printed ----

std::string setting_of(const TunePoint& point) {
  if (point.pool == 0) return "scan";
  if (point.probes == 0) return fmt::format("pool {}", point.pool);
  return fmt::format("pool {} probes {}", point.pool, point.probes);
}

/// The point that the table shows: the best, or else that of the highest recall.
const TunePoint& shown(const TuneCandidate& candidate) {
  return candidate.points[candidate.best.value_or(candidate.points.size() - 1)];
}

void print_table(const TuneReport& report) {
  print_line(fmt::format("  {:<7} {:<5} {:<22} {:>7} {:>9} {:>9} {:>10} {:>10} {:>8}", "kind", "codes",
                         "setting", "recall", "p50 us", "p99 us", "memory", "disk", "build s"));
  for (std::size_t i = 0; i < report.candidates.size(); ++i) {
    const TuneCandidate& c = report.candidates[i];
    if (c.points.empty()) continue;
    const TunePoint& point = shown(c);
    print_line(fmt::format("{} {:<7} {:<5} {:<22} {:>7.4f} {:>9.1f} {:>9.1f} {:>10} {:>10} {:>8.2f}",
                           report.chosen == i ? '*' : ' ', to_string(c.kind), to_string(c.codes),
                           setting_of(point), point.recall, point.p50_us, point.p99_us,
                           human_bytes(c.memory_bytes), human_bytes(c.disk_bytes), c.build_seconds));
  }
}

Json to_json(const TunePoint& p) {
  return {{"pool", p.pool},
          {"probes", p.probes},
          {"recall", p.recall},
          {"p50_us", p.p50_us},
          {"p99_us", p.p99_us}};
}

Json to_json(const TuneCandidate& c) {
  Json object = {{"kind", to_string(c.kind)}, {"codes", to_string(c.codes)}};
  if (!c.skipped.empty()) object["skipped"] = c.skipped;
  object.update(
      {{"memory_bytes", c.memory_bytes}, {"disk_bytes", c.disk_bytes}, {"build_seconds", c.build_seconds}});
  object["best"] = c.best ? to_json(c.points[*c.best]) : Json(nullptr);
  object["points"] = Json::array();
  for (const TunePoint& point : c.points) object["points"].push_back(to_json(point));
  return object;
}

Json to_json(const TuneReport& report) {
  Json object = {{"group", report.group},         {"dim", report.dim},
                 {"vectors", report.vectors},     {"measured", report.measured},
                 {"questions", report.questions}, {"own_questions", report.own_questions},
                 {"recall", report.recall},       {"top_k", report.top_k}};
  object["chosen"] = nullptr;
  if (report.chosen) {
    const TuneCandidate& chosen = report.candidates[*report.chosen];
    object["chosen"] = {{"kind", to_string(chosen.kind)}, {"codes", to_string(chosen.codes)}};
  }
  object["reason"] = report.reason;
  object["candidates"] = Json::array();
  for (const TuneCandidate& candidate : report.candidates) object["candidates"].push_back(to_json(candidate));
  return object;
}

// ---- What is drawn ----

/// Whether a stands for its kind rather than b: it reaches the recall sooner, or comes nearer to it.
bool stands_before(const TuneCandidate& a, const TuneCandidate& b) {
  if (a.best.has_value() != b.best.has_value()) return a.best.has_value();
  return a.best ? shown(a).p50_us < shown(b).p50_us : shown(a).recall > shown(b).recall;
}

Chart chart_of(const TuneReport& report) {
  std::map<IndexKind, const TuneCandidate*> of_kind;
  for (const TuneCandidate& c : report.candidates) {
    if (c.points.empty()) continue;
    auto& stands = of_kind[c.kind];
    if (stands == nullptr || stands_before(c, *stands)) stands = &c;
  }
  Chart chart{.title = fmt::format("{} vectors of {} dimensions, the nearest {}", report.measured, report.dim,
                                   report.top_k),
              .x_label = fmt::format("recall@{}", report.top_k),
              .y_label = "questions a second, one thread",
              .curves = {},
              .x_wanted = report.recall};
  for (const auto& [kind, c] : of_kind) {
    Curve curve{.label = fmt::format("{} {}", to_string(kind), to_string(c->codes)), .points = {}};
    for (const TunePoint& p : c->points)
      curve.points.emplace_back(p.recall, kUsPerSecond / std::max(p.p50_us, 0.1));
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

// ---- What is written ----

void check_writable(const fs::path& file) {
  if (file.extension() == ".json")
    throw Error(Code::unsupported,
                fmt::format("{} is JSON, and --write changes TOML; leave --write out and set "
                            "index.kind, index.codes and recall there by hand",
                            file.string()));
}

std::string write_choice(const TuneReport& report, const fs::path& file) {
  const TuneCandidate& chosen = report.candidates[*report.chosen];
  std::error_code ignored;
  const std::string before = fs::exists(file, ignored) ? read_file(file) : "";
  const TomlChange changes[] = {{"", "recall", fmt::format("{}", report.recall)},
                                {"index", "codes", fmt::format("\"{}\"", to_string(chosen.codes))},
                                {"index", "kind", fmt::format("\"{}\"", to_string(chosen.kind))}};
  const std::string after = edit_toml(before, changes);
  if (after == before) return fmt::format("{} says so already", file.string());
  const fs::path target = fs::weakly_canonical(file, ignored);  // a link stays one
  const fs::file_status status = fs::status(target, ignored);
  write_file_atomically(target, after);
  if (fs::exists(status)) fs::permissions(target, status.permissions(), ignored);
  return fmt::format(
      "{}: recall = {}, [index] kind = \"{}\", codes = \"{}\"; the next ingest or compact rewrites the index",
      file.string(), report.recall, to_string(chosen.kind), to_string(chosen.codes));
}

Exit tune(Context& context, TuneArguments arguments) {
  const fs::path file = settings_file(context.options).value_or("hasten.toml");
  if (arguments.write) check_writable(file);
  if (!arguments.kinds.empty()) arguments.options.kinds = kinds_of(arguments.kinds);
  if (!arguments.codes.empty()) arguments.options.codes = codes_of(arguments.codes);
  if (!arguments.queries.empty()) arguments.options.queries = load_questions(arguments.queries);
  const Document document = context.open(Document::Access::read);
  Meter meter(context.options.quiet);
  const TuneReport report = document.tune(arguments.options, meter.callback(), context.interrupts.token());
  meter.clear();
  context.notes(report.notices);
  std::string written;
  std::optional<Error> failed;  // what was measured is printed all the same
  try {
    if (!arguments.svg.empty()) write_file_atomically(arguments.svg, draw_svg(chart_of(report)));
    if (arguments.write && report.chosen) written = write_choice(report, file);
  } catch (const Error& error) {
    failed = error;
  }
  if (context.options.json) {
    Json object = to_json(report);
    if (!written.empty()) object["written"] = file.string();
    print_json(object);
  } else {
    print_table(report);
    print_line(fmt::format("\n{}", report.reason));
  }
  if (!written.empty()) context.notes(std::span(&written, 1));
  if (failed) throw *failed;
  return report.chosen ? Exit::done : Exit::failed;
}

CLI::Option* add_size(CLI::App& app, const char* name, std::uint64_t& bytes, const char* help) {
  return app
      .add_option_function<std::string>(
          name, [&bytes](const std::string& text) { bytes = parse_size(text); }, help)
      ->type_name("SIZE")
      ->check(checked_by([](const std::string& text) { parse_size(text); }));
}

}  // namespace

Action define_tune(CLI::App& app) {
  auto a = std::make_shared<TuneArguments>();
  app.add_option("--group", a->options.group, "the node group; else the settings'")->type_name("NAME");
  app.add_option("--recall", a->options.recall, "that must be reached, 0.001 to 1; else the settings'")
      ->type_name("SHARE")
      ->check(share());
  app.add_option("--top-k", a->options.top_k, "nearest passages that a question asks for")
      ->type_name("N")
      ->check(at_least_one())
      ->capture_default_str();
  app.add_option("--queries", a->queries,
                 "questions: one a line, or JSON lines with \"text\"; else made "
                 "from the passages")
      ->type_name("FILE");
  app.add_option("--kinds", a->kinds, "of flat, graph, ivf, pq, ivf_pq, rabitq, disk; else all")
      ->type_name("KIND,..")
      ->check(checked_by([](const std::string& list) { kinds_of(list); }));
  app.add_option("--codes", a->codes, "of int8, bf16, f32; else all")
      ->type_name("CODES,..")
      ->check(checked_by([](const std::string& list) { codes_of(list); }));
  app.add_option("--sample", a->options.sample, "vectors that are measured on")
      ->type_name("N")
      ->check(at_least_one())
      ->capture_default_str();
  add_size(app, "--memory-max", a->options.memory_bytes_max, "of the index that is chosen: 512M, 2G");
  add_size(app, "--disk-max", a->options.disk_bytes_max,
           "of the index that is chosen, beside the full vectors");
  app.add_option("--svg", a->svg, "draw recall against questions a second")->type_name("FILE");
  app.add_flag("--write", a->write, "write the choice to the settings file");
  return [a](Context& context) { return tune(context, *a); };
}

}  // namespace hasten::cli
