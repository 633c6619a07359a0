#include "engine/search/rerankers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/nearest.hpp"
#include "engine/knowledge_base.hpp"
#include "hasten/error.hpp"
#include "retrieval/judge.hpp"
#include "retrieval/keyword_rules.hpp"
#include "retrieval/late_interaction.hpp"
#include "retrieval/traced_reranker.hpp"

namespace hasten {
namespace {

constexpr std::string_view kNone = "none";  // what a request says against the settings'

using Made = std::shared_ptr<const Reranker>;

Made make_late_interaction(KnowledgeBase& kb, std::string_view /*rules*/) {
  return std::make_shared<LateInteraction>(kb.models.embedder(kb.embedder_name(*kb.store.read())),
                                           kb.token_cache, kb.settings.token_cache_groups);
}

Made make_judge(KnowledgeBase& kb, std::string_view /*rules*/) {
  return std::make_shared<Judge>(kb.models.generator(kb.settings.generator));
}

Made make_keywords(KnowledgeBase& /*kb*/, std::string_view rules) {
  return std::make_shared<KeywordRules>(rules);
}

/// The built-in rerankers. One that takes rules is called NAME:RULES.
struct Builtin {
  std::string_view name;
  bool takes_rules;
  Made (*make)(KnowledgeBase&, std::string_view rules);
};
constexpr Builtin kBuiltins[] = {
    {"late_interaction", false, make_late_interaction},
    {"judge", false, make_judge},
    {"keywords", true, make_keywords},
};

/// The built-in one that a name calls, or null.
const Builtin* find_builtin(std::string_view name) {
  const auto found = std::ranges::find_if(kBuiltins, [&](const Builtin& builtin) {
    return name == builtin.name ||
           (builtin.takes_rules && name.starts_with(builtin.name) && name[builtin.name.size()] == ':');
  });
  return found == std::end(kBuiltins) ? nullptr : found;
}

bool is_address(std::string_view name) { return name.starts_with("http://") || name.starts_with("https://"); }

bool is_model_file(std::string_view name) { return name.ends_with(".gguf") || name.find('/') != name.npos; }

std::vector<std::string_view> builtin_names() {
  std::vector<std::string_view> names;
  for (const Builtin& builtin : kBuiltins) names.push_back(builtin.name);
  return names;
}

[[noreturn]] void fail_unknown(std::string_view name, std::vector<std::string_view> names) {
  const std::string_view near = nearest(name, names);
  throw Error(
      Code::not_found,
      fmt::format("no reranker '{}'{}; known: {}, FILE.gguf, http(s) URL, keywords:RULES", name,
                  near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

Made make(KnowledgeBase& kb, std::string_view name) {
  if (const Builtin* builtin = find_builtin(name)) {
    return builtin->make(kb, name.substr(std::min(name.size(), builtin->name.size() + 1)));
  }
  if (is_address(name) || is_model_file(name)) return kb.models.reranker(std::string(name));
  return nullptr;
}

std::vector<double> scores_of(const Reranker& reranker, std::string_view question, std::span<const Hit> hits,
                              Trace::Span& span, std::stop_token stop) {
  if (const auto* traced = dynamic_cast<const TracedReranker*>(&reranker)) {
    return traced->score_traced(question, hits, span, std::move(stop));
  }
  return reranker.score(question, hits, std::move(stop));
}

/// The scores of a reranker, whoever wrote it: what it does wrong is an error of this request.
std::vector<double> checked_scores(const Reranker& reranker, const std::string& name,
                                   std::string_view question, std::span<const Hit> hits, Trace::Span& span,
                                   std::stop_token stop) {
  std::vector<double> scores;
  try {
    scores = scores_of(reranker, question, hits, span, std::move(stop));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(Code::internal, fmt::format("the reranker '{}' failed: {}", name, error.what()));
  }
  const bool numbers = std::ranges::none_of(scores, [](double score) { return std::isnan(score); });
  if (scores.size() == hits.size() && numbers) return scores;
  throw Error(Code::invalid,
              fmt::format("the reranker '{}' gave {} scores{} for {} passages; it must give each one number",
                          name, scores.size(), numbers ? "" : ", some no numbers,", hits.size()));
}

}  // namespace

void check_reranker(std::string_view name) {
  if (name == kNone || is_address(name) || is_model_file(name) || find_builtin(name) != nullptr) return;
  fail_unknown(name, builtin_names());
}

void Rerankers::add(std::string name, std::unique_ptr<const Reranker> reranker) {
  const bool reserved = name.empty() || name == kNone || is_address(name) || is_model_file(name) ||
                        find_builtin(name) != nullptr;
  const std::lock_guard lock(mutex_);
  if (reserved || made_.contains(name)) {
    throw Error(Code::invalid, fmt::format("a reranker cannot be called '{}': the name {}; choose another",
                                           name, reserved ? "is a built-in one's" : "is taken"));
  }
  made_.emplace(std::move(name), std::move(reranker));
}

std::shared_ptr<const Reranker> Rerankers::find(KnowledgeBase& kb, const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = made_.find(name); found != made_.end()) return found->second;
  Made made = make(kb, name);
  if (made && name.starts_with("keywords") && !is_model_file(name))
    return made;  // cheap, and everybody's rules differ
  if (made) return made_.emplace(name, std::move(made)).first->second;
  std::vector<std::string_view> names = builtin_names();
  for (const auto& [known, reranker] : made_) names.push_back(known);
  fail_unknown(name, std::move(names));
}

RerankPlan rerank_plan(const KnowledgeBase& kb, const SearchOptions& options, std::size_t top_k) {
  RerankPlan plan{options.reranker.empty() ? kb.settings.reranker : options.reranker,
                  options.rerank_top_k > 0 ? options.rerank_top_k : kb.settings.rerank_top_k};
  if (plan.name == kNone) plan.name.clear();
  plan.depth = plan.name.empty() ? 0 : std::max(plan.depth, top_k);
  return plan;
}

std::vector<Reranked> rerank(KnowledgeBase& kb, const std::string& name, std::string_view question,
                             std::span<const Hit> hits, Trace* trace, std::stop_token stop) {
  Trace::Span span(trace, "search.rerank");
  std::shared_ptr<const Reranker> reranker;
  {
    const Trace::Span load(trace, "search.rerank.load");
    reranker = kb.rerankers.find(kb, name);
  }
  span.note("reranker", name);
  span.note("passages", static_cast<std::int64_t>(hits.size()));
  const auto scores = checked_scores(*reranker, name, question, hits, span, std::move(stop));
  std::vector<Reranked> order;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (scores[i] != -std::numeric_limits<double>::infinity()) order.push_back({i, scores[i]});
  }
  std::ranges::stable_sort(order, std::greater<>{}, &Reranked::score);
  span.note("left_out", static_cast<std::int64_t>(hits.size() - order.size()));
  return order;
}

}  // namespace hasten
