// Embedding what has no vector yet, in commits of a few hundred texts.
#include <algorithm>
#include <map>
#include <vector>

#include "engine/ingest/ingest.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "hasten/error.hpp"
#include "retrieval/relevance.hpp"

namespace hasten {
namespace {

constexpr std::size_t kWindow = 256;    // texts between two commits: what a kill can cost
constexpr std::size_t kTogether = 16;   // texts that words wait for: half a second on two cores
constexpr std::size_t kFlatEvery = 16;  // windows between two published flat segments

class PendingVectors {
 public:
  PendingVectors(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop)
      : kb_(kb), store_(kb.writable()), progress_(progress), stop_(std::move(stop)) {
    const auto reading = store_.read();
    model_ = kb.embedder_name(*reading);
    fingerprint_ = reading->setting(stored::kFingerprint).value_or("");
    std::vector<std::uint32_t> groups;
    for (const GroupRow& group : searched_groups(*reading)) groups.push_back(group.id);
    pending_ = reading->texts_without_vectors(fingerprint_, groups);
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
      const std::size_t last = std::min(first + kWindow, pending_.size());
      const bool publishing = ++windows % kFlatEvery == 0 || last == pending_.size();
      try {
        embed(std::span(pending_).subspan(first, last - first), publishing);
      } catch (...) {
        publish();  // what is done stays, and is searchable
        throw;
      }
    }
    report();
    span.note("texts", static_cast<std::int64_t>(pending_.size()));
    span.note("bytes", static_cast<std::int64_t>(bytes_));
    return pending_.size();
  }

 private:
  static std::uint64_t size_of(const PendingText& text) {
    return text.derived_text.empty() ? text.span.size() : text.derived_text.size();
  }

  void embed(std::span<const PendingText> window, bool publishing) {
    const std::vector<std::string> texts = load(window);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    EmbeddedTexts embedded{fingerprint_, {}, embedder_->embed(views, Role::passage, stop_)};
    for (const PendingText& text : window) {
      embedded.text_hashes.push_back(text.text_hash);
      done_ += size_of(text);
    }
    auto writing = store_.write();
    store_vectors(store_, *writing, embedded);
    if (publishing) publish(*writing);
    kb_.snapshots.commit(*writing);
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
      if (text.document != document) whole = reading->text(document = text.document);
      texts.push_back(whole.substr(text.span.from, text.span.size()));
    }
    return texts;
  }

  void publish() {
    auto writing = store_.write();
    if (publish(*writing)) kb_.snapshots.commit(*writing);
  }

  /// @return whether there was anything to commit.
  bool publish(SegmentStore::Writing& writing) {
    bool changed = add_flat_segments(writing, store_, *kb_.snapshots.at(writing), fingerprint_);
    if (unrelated_of(writing).count == 0 && writing.counts().vectors > 0) {
      if (!embedder_) embedder_ = kb_.models.embedder(model_, progress_);
      store_unrelated(writing, unrelated_cosines(*embedder_));
      changed = true;
    }
    return changed;
  }

  void report() const {
    if (progress_) progress_({"embed", done_, bytes_, "bytes", {}});
  }

  KnowledgeBase& kb_;
  SegmentStore& store_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::string model_, fingerprint_;
  std::vector<PendingText> pending_;
  std::shared_ptr<const Embedder> embedder_;
  std::uint64_t bytes_ = 0, done_ = 0;
};

/// Texts of searched groups that have no vector yet, each once; of many, more than are embedded together.
std::map<Id, std::string_view> texts_to_embed(const SegmentStore::Reading& reading,
                                              std::string_view fingerprint,
                                              const std::vector<PlannedGroup>& plan,
                                              std::span<const PreparedDocument> batch) {
  std::map<Id, std::string_view> texts, asked;
  const auto look_up = [&] {
    std::vector<Id> hashes;
    for (const auto& [hash, text] : asked) hashes.push_back(hash);
    const auto rows = reading.vector_rows(fingerprint, hashes);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (!rows[i]) texts.insert(asked.extract(hashes[i]));
    }
    asked.clear();
    return texts.size() <= kTogether;
  };
  for (const PreparedDocument& document : batch) {
    for (const NewNode& node : document.nodes) {
      const auto group = std::ranges::find(plan, node.row.group, [](const auto& p) { return p.row.id; });
      if (!group->indexed || texts.contains(node.row.text_hash)) continue;
      asked.emplace(node.row.text_hash, node.text);
      if (asked.size() == kWindow && !look_up()) return texts;
    }
  }
  look_up();
  return texts;
}

}  // namespace

std::optional<EmbeddedTexts> embed_ahead(KnowledgeBase& kb, const std::vector<PlannedGroup>& plan,
                                         std::span<const PreparedDocument> batch, std::stop_token stop) {
  EmbeddedTexts embedded;
  std::string model;
  std::vector<std::string_view> texts;
  {
    const auto reading = kb.store.read();
    model = kb.embedder_name(*reading);
    embedded.fingerprint = reading->setting(stored::kFingerprint).value_or("");
    for (const auto& [hash, text] : texts_to_embed(*reading, embedded.fingerprint, plan, batch)) {
      embedded.text_hashes.push_back(hash);
      texts.push_back(text);
    }
  }
  if (texts.empty() || texts.size() > kTogether) return std::nullopt;
  try {
    embedded.vectors = kb.models.embedder(model)->embed(texts, Role::passage, std::move(stop));
  } catch (const Error& error) {
    if (error.code() == Code::cancelled) throw;
    return std::nullopt;
  }
  return embedded;
}

std::uint64_t embed_pending(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop,
                            Trace* trace) {
  return PendingVectors(kb, progress, std::move(stop)).run(trace);
}

}  // namespace hasten
