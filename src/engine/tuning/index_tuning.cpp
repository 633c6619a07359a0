#include "engine/tuning/index_tuning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "base/percentile.hpp"
#include "engine/ingest/index_choice.hpp"
#include "engine/snapshot.hpp"
#include "hasten/error.hpp"
#include "indexes/graph_layout.hpp"
#include "indexes/ivf_layout.hpp"
#include "indexes/one_bit_layout.hpp"
#include "indexes/recall.hpp"
#include "indexes/vectors_layout.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr IndexKind kKinds[] = {IndexKind::flat,   IndexKind::graph,  IndexKind::ivf, IndexKind::pq,
                                IndexKind::ivf_pq, IndexKind::rabitq, IndexKind::disk};
constexpr VectorCodes kCodes[] = {VectorCodes::int8, VectorCodes::bf16, VectorCodes::f32};

constexpr std::size_t kRounds = 5;
constexpr double kEnough = 0.9995;  // of recall: a larger setting has nothing left to find

// What stands over the codes of a segment, and the codes, in the order in which they are written: an index is
// the same whatever codes are beside it.
constexpr std::string_view kIndexSections[] = {
    graph_layout::kHeader,     graph_layout::kCodebook, graph_layout::kSeeds,    graph_layout::kSeedCodes,
    graph_layout::kRecords,    ivf_layout::kHeader,     ivf_layout::kCentroids,  ivf_layout::kScales,
    ivf_layout::kBegins,       ivf_layout::kMembers,    ivf_layout::kCodebook,   ivf_layout::kCodes,
    ivf_layout::kListCodebook, ivf_layout::kListCodes,  one_bit_layout::kHeader, one_bit_layout::kCentre,
    one_bit_layout::kFactors,  one_bit_layout::kCodes};
constexpr std::string_view kCodeSections[] = {
    vectors_layout::kHeader, vectors_layout::kNodes, vectors_layout::kDocuments, vectors_layout::kVectors,
    vectors_layout::kScales, vectors_layout::kCodes, vectors_layout::kSquares};

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

void check(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(Code::cancelled, "tuning was interrupted");
}

void copy_sections(const SegmentView& from, std::span<const std::string_view> names, SegmentSink& to) {
  for (const std::string_view name : names) {
    const std::uint64_t bytes = from.size(name);
    if (bytes == 0) continue;
    to.begin(name);
    to.write(from.bytes(name, 0, bytes));
  }
}

VectorMethod method_of(IndexKind kind) {
  if (kind == IndexKind::graph || kind == IndexKind::disk) return VectorMethod::graph;
  return kind == IndexKind::rabitq ? VectorMethod::bits : VectorMethod::lists;
}

bool has_lists(IndexKind kind) { return kind == IndexKind::ivf || kind == IndexKind::ivf_pq; }

/// A setting, and how long each question took with it, round after round.
struct Timed {
  TunePoint point;
  std::vector<std::vector<double>> rounds_us;  // [round][question]
};

/// An index that is built and open.
struct Built {
  TuneCandidate candidate;
  std::unique_ptr<OpenSegment> open;
  std::vector<Timed> settings;
  const VectorSegment& segment() const { return *open->flat; }
};

// ---- Building ----

class Builder {
 public:
  Builder(const TuningCorpus& corpus, const fs::path& folder, const std::stop_token& stop)
      : corpus_(corpus), folder_(folder), stop_(stop) {}

  Built build(IndexKind kind, VectorCodes codes) {
    Built built;
    built.candidate = {.kind = kind, .codes = codes};
    try {
      built.open = kind == IndexKind::disk ? std::move(indexed(kind).open) : assemble(kind, codes);
      built.candidate.build_seconds =
          plain(codes).seconds + (kind == IndexKind::flat ? 0 : indexed(kind).seconds);
      measure_bytes(built);
    } catch (const Error& error) {
      if (error.code() != Code::unsupported) throw;
      built.candidate.skipped = error.what();
    }
    return built;
  }

 private:
  struct Part {
    std::unique_ptr<OpenSegment> open;
    double seconds = 0;
  };

  template <class Write>
  std::unique_ptr<OpenSegment> write(const std::string& name, const Write& write) {
    const fs::path file = folder_ / (name + ".seg");
    SegmentFileWriter writer(file, kFlat);
    write(writer);
    writer.finish();
    return std::make_unique<OpenSegment>(SegmentFile(file, kFlat), kFlat);
  }

  IndexChoice choice_of(IndexKind kind, VectorCodes codes) const {
    return choose_index({kind, codes}, corpus_.entries.size(), corpus_.dim);
  }

  VectorBuilder filled(VectorForm form) const {
    VectorBuilder builder(corpus_.dim, form);
    for (const VectorEntry& entry : corpus_.entries) {
      check(stop_);
      builder.add(entry, corpus_.full(entry.vector));
    }
    return builder;
  }

  /// Codes without an index.
  Part& plain(VectorCodes codes) {
    Part& part = plain_[codes];
    if (part.open) return part;
    const auto began = Clock::now();
    const VectorBuilder builder = filled(choice_of(IndexKind::flat, codes).form);
    part.open =
        write(fmt::format("codes-{}", to_string(codes)), [&](SegmentSink& sink) { builder.write(sink); });
    part.seconds = seconds_since(began);
    return part;
  }

  /// An index without codes.
  Part& indexed(IndexKind kind) {
    Part& part = indexed_[kind];
    if (part.open) return part;
    const IndexChoice choice = choice_of(kind, VectorCodes::f32);
    const VectorBuilder builder = filled(choice.form);
    const auto began = Clock::now();
    part.open = write(fmt::format("index-{}", to_string(kind)), [&](SegmentSink& sink) {
      builder.write(sink, choice.parameters, corpus_.threads, stop_);
    });
    part.seconds = seconds_since(began);
    return part;
  }

  std::unique_ptr<OpenSegment> assemble(IndexKind kind, VectorCodes codes) {
    return write(fmt::format("{}-{}", to_string(kind), to_string(codes)), [&](SegmentSink& sink) {
      copy_sections(plain(codes).open->file, kCodeSections, sink);
      if (kind != IndexKind::flat) copy_sections(indexed(kind).open->file, kIndexSections, sink);
    });
  }

  void measure_bytes(Built& built) const {
    const SegmentFile& file = built.open->file;
    const bool on_disk = built.candidate.kind == IndexKind::disk;
    built.candidate.disk_bytes = file.file_bytes();
    built.candidate.memory_bytes = file.file_bytes() - (on_disk ? file.size(graph_layout::kRecords) : 0);
    if (built.segment().code_bytes() == 0 && !on_disk) {
      built.candidate.memory_bytes += corpus_.entries.size() * corpus_.dim * sizeof(float);
    }
  }

  const TuningCorpus& corpus_;
  const fs::path& folder_;
  const std::stop_token& stop_;
  std::map<VectorCodes, Part> plain_;
  std::map<IndexKind, Part> indexed_;
};

// ---- Asking ----

class Asker {
 public:
  Asker(const TuningCorpus& corpus, std::size_t k, const std::stop_token& stop)
      : corpus_(corpus), k_(k), stop_(stop) {}

  std::size_t questions() const { return corpus_.questions.size() / corpus_.dim; }

  /// The true nearest of each question: every full vector is scored.
  std::vector<std::vector<Scored>> truth(const Built& flat) const {
    std::vector<std::vector<Scored>> all;
    for (std::size_t i = 0; i < questions(); ++i) all.push_back(ask(flat, {}, i).best);
    return all;
  }

  VectorAnswer ask(const Built& built, const TunePoint& setting, std::size_t question) const {
    check(stop_);
    VectorQuery query;
    query.vector = corpus_.questions.subspan(question * corpus_.dim, corpus_.dim);
    query.k = k_;
    query.pool = setting.pool;
    query.probes = std::max<std::size_t>(setting.probes, 1);
    query.exact = setting.pool == 0;
    query.method = method_of(built.candidate.kind);
    query.read = corpus_.read;
    query.fetch = corpus_.fetch;
    const VectorInput input[] = {{&built.segment(), {}}};
    return search_vectors(input, query, corpus_.full);
  }

  /// Asks every question. @param each  called with what came out; may be empty. @return how long each took.
  std::vector<double> times_us(const Built& built, const TunePoint& setting,
                               const std::function<void(std::size_t, const VectorAnswer&)>& each) const {
    std::vector<double> times;
    for (std::size_t i = 0; i < questions(); ++i) {
      const auto began = Clock::now();
      const VectorAnswer answer = ask(built, setting, i);
      times.push_back(seconds_since(began) * 1e6);
      if (each) each(i, answer);
    }
    return times;
  }

 private:
  const TuningCorpus& corpus_;
  std::size_t k_;
  const std::stop_token& stop_;
};

// ---- Which settings to time ----

/// Those that calibrating a knowledge base measures: what is found here is what a search will do.
std::vector<TunePoint> settings_of(const Built& built, std::size_t k) {
  if (built.candidate.kind == IndexKind::flat) return {{}};
  std::vector<TunePoint> settings;
  for (const std::size_t pool : recall_pools(k)) {
    TunePoint setting;
    setting.pool = pool;
    if (has_lists(built.candidate.kind)) setting.probes = std::min(pool, built.segment().ivf()->lists());
    settings.push_back(setting);
  }
  return settings;
}

/// Tries the settings of one index from the smallest on.
class Sweep {
 public:
  Sweep(Built& built, const Asker& asker, const std::vector<std::vector<Scored>>& truth, std::size_t k)
      : built_(built), asker_(asker), truth_(truth), k_(k) {}

  void run() {
    for (const TunePoint& setting : settings_of(built_, k_)) {
      if (!measure(setting) || built_.settings.back().point.recall >= kEnough) break;
    }
  }

 private:
  /// Keeps a setting that finds more than the smaller ones.
  /// @return whether it is one of the index's own: a search that would rather scan has flat's figures.
  bool measure(TunePoint point) {
    std::size_t found = 0, wanted = 0, scans = 0;
    asker_.times_us(built_, point, [&](std::size_t question, const VectorAnswer& answer) {
      for (const Scored& hit : answer.best) {
        found += static_cast<std::size_t>(std::ranges::count(truth_[question], hit.node, &Scored::node));
      }
      wanted += truth_[question].size();
      scans += answer.plans.front().method.ends_with("scan") ? 1 : 0;
    });
    if (point.pool > 0 && scans == asker_.questions()) return false;
    point.recall = wanted == 0 ? 1 : static_cast<double>(found) / static_cast<double>(wanted);
    const bool finds_more = built_.settings.empty() || point.recall > built_.settings.back().point.recall;
    if (finds_more) built_.settings.push_back({point, {}});
    return true;
  }

  Built& built_;
  const Asker& asker_;
  const std::vector<std::vector<Scored>>& truth_;
  std::size_t k_;
};

/// Each question by the median of its rounds: what the machine did meanwhile is not the index's.
TunePoint summed_up(const Timed& timed) {
  std::vector<double> medians;
  for (std::size_t question = 0; question < timed.rounds_us.front().size(); ++question) {
    std::vector<double> rounds;
    for (const auto& round : timed.rounds_us) rounds.push_back(round[question]);
    medians.push_back(percentile(rounds, 0.5));
  }
  TunePoint point = timed.point;
  point.p50_us = percentile(medians, 0.5);
  point.p99_us = percentile(medians, 0.99);
  return point;
}

TuneCandidate finished(Built& built, double recall) {
  TuneCandidate candidate = std::move(built.candidate);
  for (const Timed& timed : built.settings) candidate.points.push_back(summed_up(timed));
  for (std::size_t i = 0; i < candidate.points.size(); ++i) {
    const TunePoint& point = candidate.points[i];
    if (point.recall < recall) continue;
    if (!candidate.best || point.p50_us < candidate.points[*candidate.best].p50_us) candidate.best = i;
  }
  if (candidate.points.empty() && candidate.skipped.empty()) {
    candidate.skipped = "a scan of this many vectors is faster";
  }
  return candidate;
}

/// The pairs of kind and codes to measure; `disk` keeps no codes.
std::vector<std::pair<IndexKind, VectorCodes>> wanted(const TuneOptions& options) {
  std::vector<std::pair<IndexKind, VectorCodes>> pairs;
  const auto within = [](const auto& list, auto value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
  };
  for (const IndexKind kind : kKinds) {
    if (!within(options.kinds, kind)) continue;
    if (kind == IndexKind::disk) pairs.emplace_back(kind, VectorCodes::f32);
    for (const VectorCodes codes : kCodes) {
      if (kind != IndexKind::disk && within(options.codes, codes)) pairs.emplace_back(kind, codes);
    }
  }
  return pairs;
}

/// Builds what is wanted, and finds the settings that are worth timing.
std::vector<Built> build_all(const TuningCorpus& corpus, const TuneOptions& options, Builder& builder,
                             const Asker& asker, const OnProgress& progress) {
  const auto pairs = wanted(options);
  const auto truth = asker.truth(builder.build(IndexKind::flat, VectorCodes::f32));
  const std::size_t nodes = corpus.entries.size();
  std::vector<Built> all;
  for (const auto& [kind, codes] : pairs) {
    const std::string name = fmt::format("{} {}", to_string(kind), to_string(codes));
    if (progress) progress({"build", all.size(), pairs.size(), "indexes", name});
    if (choose_index({kind, codes}, nodes, corpus.dim).kind != kind) {
      all.push_back({.candidate = {.kind = kind, .codes = codes}, .open = {}, .settings = {}});
      all.back().candidate.skipped = fmt::format("{} vectors are scanned, whatever the setting", nodes);
      continue;
    }
    all.push_back(builder.build(kind, codes));
    if (all.back().open) Sweep(all.back(), asker, truth, options.top_k).run();
  }
  return all;
}

void time_all(std::vector<Built>& all, const Asker& asker, const OnProgress& progress) {
  for (std::size_t run = 0; run < kRounds * all.size(); ++run) {
    if (progress) progress({"time", run, kRounds * all.size(), "runs", {}});
    Built& built = all[run % all.size()];
    for (Timed& timed : built.settings) timed.rounds_us.push_back(asker.times_us(built, timed.point, {}));
  }
}

}  // namespace

std::vector<TuneCandidate> measure_indexes(const TuningCorpus& corpus, const TuneOptions& options,
                                           const fs::path& folder, const OnProgress& progress,
                                           std::stop_token stop) {
  Builder builder(corpus, folder, stop);
  const Asker asker(corpus, options.top_k, stop);
  std::vector<Built> all = build_all(corpus, options, builder, asker, progress);
  time_all(all, asker, progress);
  std::vector<TuneCandidate> candidates;
  for (Built& built : all) candidates.push_back(finished(built, options.recall));
  return candidates;
}

}  // namespace hasten
