#include "retrieval/keyword_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "hasten/error.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr double kLeftOut = -std::numeric_limits<double>::infinity();
constexpr double kHeadingWeight = 3;  // of a word in the heading, to one in the text
constexpr double kRanks = 60;         // as in reciprocal rank fusion

using Words = std::set<std::string, std::less<>>;

Words words_of(std::string_view text) {
  Words words;
  for (Term& term : terms(text)) words.insert(std::move(term.text));
  return words;
}

Words heading_words(const Hit& passage) {
  std::string heading = passage.path;
  for (const std::string_view key : {"heading", "title"}) {
    const auto found = passage.node.metadata.find(key);
    if (found == passage.node.metadata.end()) continue;
    if (const auto* text = std::get_if<std::string>(&found->second)) heading += "\n" + *text;
  }
  return words_of(heading);
}

bool all_in(const std::vector<std::string>& wanted, const Words& words) {
  return std::ranges::all_of(wanted, [&](const std::string& word) { return words.contains(word); });
}

bool any_in(const std::vector<std::string>& unwanted, const Words& words) {
  return std::ranges::any_of(unwanted, [&](const std::string& word) { return words.contains(word); });
}

/// How much of what is wanted a passage has, 0 to 1.
double share_of(const Words& wanted, const Words& text, const Words& heading) {
  double sum = 0;
  for (const std::string& word : wanted) {
    sum += heading.contains(word) ? kHeadingWeight : text.contains(word) ? 1 : 0;
  }
  return wanted.empty() ? 0 : sum / (kHeadingWeight * static_cast<double>(wanted.size()));
}

}  // namespace

KeywordRules::KeywordRules(std::string_view rules) : rules_(rules), query_(WordQuery::parse(rules)) {
  const bool blank = rules.find_first_not_of(" \t\r\n") == rules.npos;
  if (blank || query_.has_conditions() || !query_.terms.empty()) return;
  throw Error(Code::invalid, fmt::format("keyword rules '{}' name no word; write '+required -excluded "
                                         "\"a phrase\" wanted', with words that are no stop words",
                                         rules));
}

std::vector<double> KeywordRules::score(std::string_view question, std::span<const Hit> passages,
                                        std::stop_token /*stop*/) const {
  const bool own_words = query_.terms.empty() && !query_.has_conditions();
  const Words wanted = own_words ? words_of(question) : Words(query_.terms.begin(), query_.terms.end());
  std::vector<double> scores;
  for (const Hit& passage : passages) {
    const Words words = words_of(passage.node.text);
    const bool fits = all_in(query_.required, words) && !any_in(query_.excluded, words) &&
                      query_.phrases_fit(passage.node.text);
    const double rank = static_cast<double>(scores.size() + 1);
    const double share = fits ? share_of(wanted, words, heading_words(passage)) : 0;
    scores.push_back(fits ? (1 + share) / (kRanks + rank) : kLeftOut);
  }
  return scores;
}

}  // namespace hasten
