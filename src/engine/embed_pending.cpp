// Embedding what has no vector yet, in commits of a few hundred texts.
#include <algorithm>
#include <vector>

#include "engine/ingest.hpp"
#include "engine/segment_writing.hpp"
#include "hasten/error.hpp"
#include "retrieval/relevance.hpp"

namespace hasten {
namespace {

constexpr std::size_t kWindow = 256;  // texts between two commits: what a kill can cost
constexpr std::size_t kFlatEvery = 16;  // windows between two published flat segments

class PendingVectors {
 public:
  PendingVectors(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop)
      : kb_(kb), store_(kb.writable()), progress_(progress), stop_(std::move(stop)) {
    const auto reading = store_.read();
    model_ = kb.embedder_name(reading);
    fingerprint_ = reading.setting(stored::kFingerprint).value_or("");
    std::vector<std::uint32_t> groups;
    for (const GroupRow& group : searched_groups(reading)) groups.push_back(group.id);
    pending_ = reading.texts_without_vectors(fingerprint_, groups);
  }

  std::uint64_t run(Trace* trace) {
    if (pending_.empty()) {
      publish();  // what an interrupted run embedded
      return 0;
    }
    Trace::Span span(trace, "ingest.embed");
    embedder_ = kb_.models.embedder(model_, progress_);
    for (const PendingText& text : pending_) bytes_ += size_of(text);
    std::size_t windows = 0;
    for (std::size_t first = 0; first < pending_.size(); first += kWindow) {
      report();
      try {
        embed(std::span(pending_).subspan(first, std::min(kWindow, pending_.size() - first)));
      } catch (...) {
        publish();  // what is done stays, and is searchable
        throw;
      }
      if (++windows % kFlatEvery == 0) publish();
    }
    publish();
    report();
    span.note("texts", static_cast<std::int64_t>(pending_.size()));
    span.note("bytes", static_cast<std::int64_t>(bytes_));
    return pending_.size();
  }

 private:
  static std::uint64_t size_of(const PendingText& text) {
    return text.derived_text.empty() ? text.span.size() : text.derived_text.size();
  }

  void embed(std::span<const PendingText> window) {
    const std::vector<std::string> texts = load(window);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const Matrix vectors = embedder_->embed(views, Role::passage, stop_);
    std::vector<Id> hashes;
    for (const PendingText& text : window) {
      hashes.push_back(text.text_hash);
      done_ += size_of(text);
    }
    const std::uint64_t row =
        store_.append_vectors(fingerprint_, vectors.dim, hashes, vectors.values);
    auto writing = store_.write();
    writing.add_vectors(fingerprint_, hashes, row);
    writing.commit();
  }

  std::vector<std::string> load(std::span<const PendingText> window) const {
    const auto reading = store_.read();
    std::vector<std::string> texts;
    std::uint32_t document = 0;
    std::string whole;
    for (const PendingText& text : window) {
      if (!text.derived_text.empty()) {
        texts.push_back(text.derived_text);
        continue;
      }
      if (text.document != document) whole = reading.text(document = text.document);
      texts.push_back(whole.substr(text.span.from, text.span.size()));
    }
    return texts;
  }

  void publish() {
    auto writing = store_.write();
    bool changed = add_flat_segments(writing, store_, *kb_.snapshots.at(writing), fingerprint_);
    if (unrelated_of(writing).count == 0 && writing.counts().vectors > 0) {
      if (!embedder_) embedder_ = kb_.models.embedder(model_, progress_);
      store_unrelated(writing, unrelated_cosines(*embedder_));
      changed = true;
    }
    if (changed) writing.commit();
  }

  void report() const {
    if (progress_) progress_({"embed", done_, bytes_, "bytes", {}});
  }

  KnowledgeBase& kb_;
  LocalStore& store_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::string model_, fingerprint_;
  std::vector<PendingText> pending_;
  std::shared_ptr<const Embedder> embedder_;
  std::uint64_t bytes_ = 0, done_ = 0;
};

}  // namespace

std::uint64_t embed_pending(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop,
                            Trace* trace) {
  return PendingVectors(kb, progress, std::move(stop)).run(trace);
}

}  // namespace hasten
