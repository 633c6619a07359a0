#include "retrieval_options.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "hasten/error.hpp"
#include "options.hpp"

namespace hasten::cli {
namespace {

CLI::Validator share_or_zero() {
  return checked_by([](const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(number >= 0 && number <= 1))
      throw Error(Code::invalid, fmt::format("'{}' is no number from 0 to 1", text));
  });
}

CLI::Validator any_number() {
  return checked_by([](const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || std::isnan(number))
      throw Error(Code::invalid, fmt::format("'{}' is no number", text));
  });
}

CLI::Validator whole_number() {
  return checked_by([](const std::string& text) {
    if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos)
      throw Error(Code::invalid, fmt::format("'{}' is no whole number from 0 on", text));
  });
}

}  // namespace

SearchOptions RetrievalArguments::parsed() const {
  SearchOptions search = options;
  if (!mode.empty()) search.mode = mode_from_string(mode);
  if (!fusion.empty()) search.fusion = fusion_from_string(fusion);
  search.filter = Filter::parse(filter);
  for (const std::string& query : queries) search.queries.push_back({query});
  for (const std::string& retriever : retrievers) search.retrievers.push_back(Retriever::parse(retriever));
  return search;
}

void add_retrieval_options(CLI::App& app, RetrievalArguments& a, const char* top_k) {
  auto* mode = app.add_option("--mode", a.mode, "hybrid, vector or bm25: the similarities used and fused")
                   ->type_name("MODE")
                   ->check(checked_by([](const std::string& word) { mode_from_string(word); }))
                   ->default_str("hybrid");
  app.add_option("--top-k", a.options.top_k, "how many passages")
      ->type_name("N")
      ->check(at_least_one())
      ->default_str(top_k);
  app.add_option("--group", a.options.group, "the node group to search")->type_name("NAME");
  app.add_option("--filter", a.filter, "a condition on fields: lang == \"zh\" and year >= 2020")
      ->type_name("EXPRESSION")
      ->check(checked_by([](const std::string& text) { Filter::parse(text); }));
  app.add_option("--recall", a.options.recall, "the share of the true nearest to find; 1: scan everything")
      ->type_name("SHARE")
      ->check(share());
  app.add_option("--query", a.queries, "a further way to ask; may be repeated")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all();
  app.add_option("--retriever", a.retrievers,
                 "one way to find, instead of --mode; may be repeated. Keys: group,\n"
                 "similarity (cosine, bm25), top_k, filter, cut_off, weight, priority\n"
                 "(high, normal, low, ignore)")
      ->type_name("KEY=VALUE,...")
      ->expected(1)
      ->take_all()
      ->excludes(mode)
      ->check(checked_by([](const std::string& text) { Retriever::parse(text); }));
  app.add_option("--fusion", a.fusion,
                 "how lists become one: weights, reciprocal_ranks, calibrated, shares,\n"
                 "priorities")
      ->type_name("NAME")
      ->check(checked_by([](const std::string& word) { fusion_from_string(word); }))
      ->default_str(std::string(to_string(kDefaultFusion)));
  app.add_option("--rrf-k", a.options.rrf_k, "the constant of reciprocal ranks")
      ->type_name("K")
      ->check(at_least_zero())
      ->default_str("60");
  app.add_option("--cut-off", a.options.cut_off, "leave out passages of a lower score")
      ->type_name("SCORE")
      ->check(any_number());
  app.add_option("--target", a.options.target,
                 "return what a passage was made from, or what holds it, in this group")
      ->type_name("NAME");
  app.add_option("--fold", a.options.fold, "equal texts once, of those that overlap by more the best; 0: off")
      ->type_name("SHARE")
      ->check(share_or_zero());
  app.add_option("--diversity", a.options.diversity,
                 "how much it counts to be unlike the passages before; 0: off")
      ->type_name("SHARE")
      ->check(share_or_zero());
  app.add_option("--window", a.options.window, "join so many neighbours on each side to a passage")
      ->type_name("N")
      ->check(whole_number());
}

}  // namespace hasten::cli
