#include "engine/tuning/tune.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/files.hpp"
#include "base/nearest.hpp"
#include "base/threads.hpp"
#include "engine/tuning/index_tuning.hpp"
#include "engine/tuning/recall.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kQuestions = 200;
constexpr std::size_t kTopKMax = 10'000;
constexpr double kAsFast = 1.05;

// ---- Where the indexes are built ----

/// `cache/tune` in the knowledge base: emptied before, removed after, and held against a second run, which
/// would spoil the times of both.
class Workplace {
 public:
  explicit Workplace(const fs::path& kb) : folder_(tuning_folder(kb)) {
    try {
      fs::create_directories(folder_.parent_path());
      lock_.emplace(FileLock::acquire(tuning_lock(kb), "tune"));
      fs::remove_all(folder_);
      fs::create_directory(folder_);
    } catch (const fs::filesystem_error& error) {
      throw_as_error(error);
    }
  }
  ~Workplace() {
    std::error_code ignored;  // the next run empties it
    fs::remove_all(folder_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
  std::optional<FileLock> lock_;
};

// ---- What is measured on ----

/// The group asked for, or the only one there is where it was the default.
const GroupSnapshot& group_of(const Snapshot& snapshot, const std::string& asked,
                              const std::string& standard) {
  const std::string& name = asked.empty() ? standard : asked;
  std::vector<std::string_view> made;
  for (const GroupSnapshot& group : snapshot.groups) {
    if (!group.words.empty() || group.has_vectors()) made.push_back(group.row.name);
  }
  if (std::ranges::find(made, name) != made.end()) return *snapshot.find(name);
  if (made.empty()) {
    throw Error(Code::empty,
                "nothing was ingested yet; `hasten ingest PATH` makes passages and vectors to tune on");
  }
  if (asked.empty()) return *snapshot.find(made.front());
  const std::string_view near = nearest(name, made);
  throw Error(Code::not_found, fmt::format("node group '{}' was not made here{}; made: {}", name,
                                           near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                           fmt::join(made, ", ")));
}

void check_embedder(KnowledgeBase& kb, const std::string& name, const std::string& stored) {
  const std::string now = kb.models.fingerprint(name);
  if (now == stored) return;
  throw Error(Code::mismatch,
              fmt::format("the vectors here are of {}, the embedder {} is {}; set the embedder "
                          "that made them",
                          stored, name, now));
}

std::vector<VectorEntry> entries_of(const GroupSnapshot& group) {
  std::vector<VectorEntry> entries;
  for (const SegmentPart* part : group.vectors()) add_alive(entries, *part);
  return entries;
}

/// At most so many, evenly spaced: vectors lie in the order of their documents.
std::vector<VectorEntry> sampled(const std::vector<VectorEntry>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<VectorEntry> some;
  for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

TuneOptions checked(TuneOptions options, const Settings& settings) {
  if (options.recall <= 0) options.recall = settings.recall;
  if (options.top_k == 0) throw Error(Code::invalid, "top_k is 0; ask for at least one passage");
  if (options.top_k > kTopKMax) {
    throw Error(Code::invalid, fmt::format("top_k is {}; tuning takes up to {}", options.top_k, kTopKMax));
  }
  if (options.sample == 0) throw Error(Code::invalid, "sample is 0; measure on at least one vector");
  return options;
}

/// The user's questions, or ones made from the passages.
Matrix embed_questions(KnowledgeBase& kb, const GroupSnapshot& group, const TuneOptions& options,
                       const OnProgress& progress, const std::stop_token& stop) {
  const auto reading = kb.store.read();
  const std::string name = kb.embedder_name(*reading);
  check_embedder(kb, name, group.fingerprint());
  const auto questions =
      options.queries.empty() ? make_questions(*reading, group, kQuestions) : options.queries;
  if (questions.empty()) throw Error(Code::empty, "no question can be made from these passages; give some");
  const std::vector<std::string_view> texts(questions.begin(), questions.end());
  if (progress) progress({"embed", 0, texts.size(), "questions", {}});
  return kb.models.embedder(name, progress)->embed(texts, Role::query, stop);
}

/// How the group's full vectors are read. Borrows the knowledge base.
TuningCorpus corpus_of(KnowledgeBase& kb, const GroupSnapshot& group) {
  const std::string fingerprint = group.fingerprint();
  TuningCorpus corpus;
  corpus.dim = group.vectors().front()->open->flat->dim();
  corpus.threads = thread_count(kb.settings.threads);
  corpus.full = kb.store.vectors(fingerprint);
  corpus.read = [&kb, fingerprint](std::uint64_t row, std::span<float> to) {
    copy_vector(kb.store.read_vector(fingerprint, row), to);
  };
  corpus.fetch = [&kb, fingerprint](std::uint64_t row) { kb.store.fetch_vector(fingerprint, row); };
  return corpus;
}

// ---- The words ----

std::string in_words(double us) {
  return us < 1000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}
std::string mib(double bytes) { return fmt::format("{:.1f} MiB", bytes / (1 << 20)); }

std::string name_of(const TuneCandidate& c) {
  return fmt::format(
      "{} with {}", to_string(c.kind),
      c.codes == VectorCodes::f32 ? "no codes (f32)" : fmt::format("{} codes", to_string(c.codes)));
}

std::vector<std::string> notices_of(const TuneReport& report) {
  std::vector<std::string> notices;
  if (report.measured < report.vectors) {
    notices.push_back(
        fmt::format("measured on {} of {} vectors; of all, searching takes longer, and memory and disk "
                    "grow in proportion, as the limits count them",
                    report.measured, report.vectors));
  }
  for (const TuneCandidate& c : report.candidates) {
    if (c.skipped.empty()) continue;
    notices.push_back(
        fmt::format("{} {} was not measured: {}", to_string(c.kind), to_string(c.codes), c.skipped));
  }
  return notices;
}

/// Of an index over all vectors, where a sample was measured.
double whole(std::uint64_t bytes, const TuneReport& report) {
  return static_cast<double>(bytes) * static_cast<double>(report.vectors) /
         static_cast<double>(std::max<std::size_t>(report.measured, 1));
}

bool fits(const TuneCandidate& c, const TuneReport& report, const TuneOptions& options) {
  const auto within = [&](std::uint64_t bytes, std::uint64_t most) {
    return most == 0 || whole(bytes, report) <= static_cast<double>(most);
  };
  return within(c.memory_bytes, options.memory_bytes_max) && within(c.disk_bytes, options.disk_bytes_max);
}

const TunePoint& best_of(const TuneCandidate& c) { return c.points[*c.best]; }

std::string nothing_fits(const TuneReport& report, bool some_reach) {
  if (some_reach)
    return fmt::format("what reaches a recall of {} takes more memory or disk than was allowed",
                       report.recall);
  double most = 0;
  for (const TuneCandidate& c : report.candidates) {
    for (const TunePoint& point : c.points) most = std::max(most, point.recall);
  }
  return fmt::format("nothing that was measured reaches a recall of {}; the best is {:.4f}", report.recall,
                     most);
}

std::string why(const TuneReport& report, const TuneCandidate& chosen, const TuneCandidate& fastest,
                std::size_t left_out) {
  std::string reason = fmt::format("{} reaches a recall of {:.4f} in {}", name_of(chosen),
                                   best_of(chosen).recall, in_words(best_of(chosen).p50_us));
  if (&fastest != &chosen) {
    reason += fmt::format("; {} is as fast ({}), but takes more memory ({}, not {})", name_of(fastest),
                          in_words(best_of(fastest).p50_us), mib(whole(fastest.memory_bytes, report)),
                          mib(whole(chosen.memory_bytes, report)));
  } else {
    reason += ", faster than all others that reach " + fmt::format("{}", report.recall);
  }
  if (left_out > 0) reason += fmt::format("; {} more were over the limits", left_out);
  return reason;
}

}  // namespace

fs::path tuning_folder(const fs::path& kb) { return kb / "cache" / "tune"; }
fs::path tuning_lock(const fs::path& kb) { return kb / "cache" / "tune.lock"; }

TuneChoice choose(const TuneReport& report, const TuneOptions& options) {
  std::vector<std::size_t> eligible;
  std::size_t reach = 0;
  for (std::size_t i = 0; i < report.candidates.size(); ++i) {
    const TuneCandidate& c = report.candidates[i];
    reach += c.best ? 1 : 0;
    if (c.best && fits(c, report, options)) eligible.push_back(i);
  }
  if (eligible.empty()) return {std::nullopt, nothing_fits(report, reach > 0)};
  const auto us = [&](std::size_t i) { return best_of(report.candidates[i]).p50_us; };
  const std::size_t fastest = *std::ranges::min_element(eligible, {}, us);
  const std::size_t left_out = reach - eligible.size();
  std::erase_if(eligible, [&](std::size_t i) { return us(i) > kAsFast * us(fastest); });
  const std::size_t chosen = *std::ranges::min_element(eligible, {}, [&](std::size_t i) {
    const TuneCandidate& c = report.candidates[i];
    return std::tuple(c.memory_bytes, c.disk_bytes, us(i));
  });
  return {chosen, why(report, report.candidates[chosen], report.candidates[fastest], left_out)};
}

TuneReport tune(KnowledgeBase& kb, const TuneOptions& asked, const OnProgress& progress,
                std::stop_token stop) {
  const TuneOptions options = checked(asked, kb.settings);
  const auto snapshot = kb.newest().snapshot;
  snapshot->check_files();
  const GroupSnapshot& group = group_of(*snapshot, options.group, kb.settings.group);
  const auto entries = entries_of(group);
  if (entries.empty()) {
    throw Error(Code::empty,
                fmt::format("group '{}' has no vectors yet; `hasten ingest` makes them", group.row.name));
  }
  kb.store.vector(group.fingerprint(),
                  entries.front().vector);  // opened before it may be compacted
  const Matrix questions = embed_questions(kb, group, options, progress, stop);
  const Workplace workplace(kb.store.folder());
  TuningCorpus corpus = corpus_of(kb, group);
  corpus.entries = sampled(entries, options.sample);
  corpus.questions = questions.values;

  TuneReport report;
  report.group = group.row.name;
  report.dim = corpus.dim;
  report.vectors = entries.size();
  report.measured = corpus.entries.size();
  report.questions = questions.rows;
  report.own_questions = !options.queries.empty();
  report.recall = options.recall;
  report.top_k = options.top_k;
  report.candidates = measure_indexes(corpus, options, workplace.folder(), progress, stop);
  report.notices = notices_of(report);
  const TuneChoice choice = choose(report, options);
  report.chosen = choice.chosen;
  report.reason = choice.reason;
  return report;
}

}  // namespace hasten
