#include "engine/caching/semantic_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hashing.hpp"
#include "base/packing.hpp"
#include "hasten/error.hpp"
#include "text/language.hpp"

namespace hasten {
namespace {

constexpr std::size_t kNearest = 16;

/// What an entry takes beside the index.
std::size_t bytes_of(const AskedQuestion& question) {
  const QuestionFeatures& features = question.features;
  std::size_t bytes = question.text.capacity() + features.canonical.capacity() + features.light.capacity() +
                      features.numbers.capacity() + features.asks.capacity();
  for (const QuestionToken& token : features.tokens) {
    // Short texts lie in the token itself.
    bytes += sizeof token + (token.text.capacity() > 15 ? token.text.capacity() : 0);
  }
  constexpr std::size_t kNodes = 8 * sizeof(void*) + sizeof(std::string_view);  // of a list and two maps
  return bytes + kNodes;
}

/// Who cannot tell which Latin language it is may not tell either that it is another.
bool may_be_one_language(std::string_view a, std::string_view b) {
  constexpr std::string_view kOfOneScript[] = {"zh", "ja", "ko", "ru", "ar", "he", "el", "th", "hi"};
  const auto has_script = [&](std::string_view language) {
    return std::ranges::find(kOfOneScript, language) != std::end(kOfOneScript);
  };
  return a == b || ((a == "und" || b == "und") && !has_script(a) && !has_script(b));
}

/// One sentence answers who and when, how many and how many not. Quoting it is one answer only to questions
/// that want the same kind of thing.
std::uint64_t name_of(const QuestionFeatures& asked, std::string_view answer) {
  Packer packer;
  packer.text(asked.asks).text(asked.numbers).value<std::uint64_t>(asked.negations).text(answer);
  return checksum(std::move(packer).bytes());
}

/// Says why the closest one is none.
std::string reason(const QuestionVerdict& verdict, double needed, const QuestionFeatures& asked,
                   const QuestionFeatures& closest) {
  if (verdict.refused != QuestionCheck::none) return explain(verdict.refused, asked, closest);
  return fmt::format("sameness {:.3f} is below {:g}", verdict.sameness, needed);
}

}  // namespace

bool is_error_rate(double rate) noexcept { return rate > 0 && rate <= 0.5; }

AskedQuestion::AskedQuestion(std::string_view asked, std::uint64_t asked_with)
    : text(asked), language(language_of(asked)), features(question_features(asked)), options(asked_with) {}

std::string_view to_string(SemanticMatch::Kind kind) noexcept {
  switch (kind) {
    case SemanticMatch::Kind::none:
      return "none";
    case SemanticMatch::Kind::words:
      return "exact words";
    case SemanticMatch::Kind::meaning:
      return "same meaning";
  }
  return "";
}

SemanticCache::SemanticCache(const CacheSettings& settings)
    : on_(settings.semantic.on && settings.type != "none"),
      needed_(sameness_for(settings.semantic.error_rate)),
      entries_max_(settings.semantic.entries_max) {
  if (!is_error_rate(settings.semantic.error_rate)) {
    throw Error(Code::invalid, fmt::format("cache.semantic.error_rate is {}; it takes a number above 0, up "
                                           "to 0.5",
                                           settings.semantic.error_rate));
  }
  if (entries_max_ == 0) {
    throw Error(Code::invalid, "cache.semantic.entries_max is 0; it takes a whole number of at least 1");
  }
}

SemanticMatch SemanticCache::match(const AskedQuestion& asked,
                                   const std::function<const QuestionVector*()>& embed) {
  const auto counted = [this](SemanticMatch match) {
    const std::lock_guard lock(mutex_);
    ++(match.kind == SemanticMatch::Kind::none ? misses_ : hits_);
    return match;
  };
  if (auto match = by_words(asked)) return counted(std::move(*match));
  const QuestionVector* const vector = embed();
  return counted(vector == nullptr ? SemanticMatch() : by_meaning(asked, *vector));
}

std::optional<SemanticMatch> SemanticCache::by_words(const AskedQuestion& asked) {
  const std::lock_guard lock(mutex_);
  const Near near = same_words(asked);
  SemanticMatch match = judge(asked, near, SemanticMatch::Kind::words);
  if (match.kind == SemanticMatch::Kind::none) return std::nullopt;
  return match;
}

SemanticMatch SemanticCache::by_meaning(const AskedQuestion& asked, const QuestionVector& vector) {
  std::shared_ptr<const QuestionIndex> index;
  {
    const std::lock_guard lock(mutex_);
    if (vector.fingerprint == fingerprint_) index = index_;
  }
  if (index == nullptr || index->dim() != vector.values.size()) return {};
  const std::vector<QuestionIndex::Near> nearest = index->nearest(vector.values, kNearest);
  const std::lock_guard lock(mutex_);
  Near near;
  for (const auto& [id, cosine] : nearest) {
    const auto found = by_id_.find(id);  // it may be gone since
    if (found != by_id_.end()) put(near, found->second, cosine, asked);
  }
  return judge(asked, near, SemanticMatch::Kind::meaning);
}

/// Entries of the same words, whatever the order of light ones.
SemanticCache::Near SemanticCache::same_words(const AskedQuestion& asked) {
  Near near;
  const auto [begin, end] = by_words_.equal_range(asked.features.canonical);
  for (auto at = begin; at != end && near.places.size() < kNearest; ++at) put(near, at->second, 1, asked);
  return near;
}

/// Each language is as if it had a cache of its own. An answer under other options says nothing of this one:
/// where a filter leaves one document, it answers many questions.
void SemanticCache::put(Near& near, Place place, double cosine, const AskedQuestion& asked) {
  const Entry& entry = *place;
  if (!may_be_one_language(entry.question.language, asked.language)) return;
  const bool comparable = entry.question.options == asked.options;
  near.places.push_back(place);
  near.questions.push_back({&entry.question.features, cosine, comparable ? entry.answer : ~entry.id});
}

/// The entry that it matches is then the most recently used.
SemanticMatch SemanticCache::judge(const AskedQuestion& asked, const Near& near, SemanticMatch::Kind kind) {
  SemanticMatch match;
  if (near.places.empty()) return match;
  const QuestionVerdict verdict = same_question(asked.features, near.questions, needed_);
  const Place best = near.places[verdict.hit.value_or(verdict.best)];
  match.question = best->question.text;
  match.sameness = verdict.sameness;
  match.agreeing = verdict.agreeing;
  if (!verdict.hit) {
    match.refused = reason(verdict, needed_, asked.features, best->question.features);
    return match;
  }
  match.kind = kind;
  match.id = best->id;
  entries_.splice(entries_.begin(), entries_, best);
  return match;
}

void SemanticCache::add(const AskedQuestion& asked, const QuestionVector* vector, std::string_view answer) {
  const std::lock_guard lock(mutex_);
  if (vector != nullptr) use_index_of(*vector);
  // Another thread may have asked it meanwhile.
  if (judge(asked, same_words(asked), SemanticMatch::Kind::words).kind != SemanticMatch::Kind::none) return;
  while (entries_.size() >= entries_max_) {
    drop(std::prev(entries_.end()));
    ++evicted_;
  }
  if (vector != nullptr) index_->add(last_id_ + 1, vector->values);
  entries_.push_front({++last_id_, asked, name_of(asked.features, answer), bytes_of(asked) + sizeof(Entry)});
  const Place place = entries_.begin();
  by_id_.emplace(place->id, place);
  by_words_.emplace(place->question.features.canonical, place);
  bytes_ += place->bytes;
  ++puts_;
}

void SemanticCache::use_index_of(const QuestionVector& vector) {
  const bool fits = index_ != nullptr && fingerprint_ == vector.fingerprint;
  if (fits && index_->dim() == vector.values.size()) return;
  by_words_.clear();
  by_id_.clear();
  entries_.clear();
  bytes_ = 0;
  fingerprint_ = vector.fingerprint;
  index_ = std::make_shared<QuestionIndex>(vector.values.size());
}

void SemanticCache::answered(std::uint64_t id, std::uint64_t options, std::string_view answer) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  AskedQuestion& question = found->second->question;
  question.options = options;
  found->second->answer = name_of(question.features, answer);
}

void SemanticCache::not_found(std::uint64_t id, std::uint64_t options) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found != by_id_.end() && found->second->question.options == options) drop(found->second);
}

void SemanticCache::drop(Place place) {
  const auto [begin, end] = by_words_.equal_range(place->question.features.canonical);
  by_words_.erase(std::find_if(begin, end, [&](const auto& known) { return known.second == place; }));
  by_id_.erase(place->id);
  if (index_ != nullptr) index_->remove(place->id);
  bytes_ -= place->bytes;
  entries_.erase(place);
}

std::optional<CacheUse> SemanticCache::use() const {
  const std::lock_guard lock(mutex_);
  if (hits_ + misses_ + puts_ == 0) return std::nullopt;
  CacheUse use{.name = "semantic", .where = "memory"};
  use.hits = hits_;
  use.misses = misses_;
  use.puts = puts_;
  use.evicted = evicted_;
  use.entries = entries_.size();
  use.bytes = bytes_ + (index_ == nullptr ? 0 : index_->bytes());
  return use;
}

}  // namespace hasten
