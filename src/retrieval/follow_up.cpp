#include "retrieval/follow_up.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.hpp"
#include "retrieval/question_features.hpp"
#include "retrieval/question_words.hpp"

namespace hasten {
namespace {

using std::string_view;

constexpr std::array<string_view, 17> kPointsBack = {"it",    "its",   "they",   "them",   "their", "theirs",
                                                     "he",    "him",   "his",    "she",    "her",   "hers",
                                                     "these", "those", "former", "latter", "itself"};
// "this" does but before a time: "this year".
constexpr std::array<string_view, 8> kTimes = {"year",    "month",  "week",    "morning",
                                               "century", "season", "evening", "time"};
constexpr std::array<string_view, 9> kGoesOn = {"and",  "but",       "or",       "so",  "also",
                                                "then", "otherwise", "likewise", "else"};
constexpr std::array<string_view, 2> kPointsBackAtTheEnd = {"there", "then"};
// Simplified. Blanks stand between Latin words alone.
constexpr std::array<string_view, 10> kChinesePointsBack = {"它", "他",   "她",   "这",   "该",
                                                            "此", "其中", "前者", "后者", "上述"};
constexpr std::array<string_view, 7> kChineseGoesOn = {"那", "还有", "另外", "然后", "而", "其", "再"};
// In which those above mean nothing of the kind.
constexpr std::array<string_view, 16> kChineseOthers = {"其他", "其它", "其余", "其实", "吉他",   "应该",
                                                        "因此", "此外", "如此", "彼此", "该不该", "其次",
                                                        "再见", "再生", "其后", "他人"};
constexpr std::size_t kShortBytes = 36;  // 12 Chinese characters
constexpr std::size_t kWholeCharacters = 4;

template <std::size_t n>
bool is_one_of(string_view word, const std::array<string_view, n>& words) {
  return std::ranges::find(words, word) != words.end();
}

/// A word that points to what the question itself has named before it does not point out of it.
bool points_back(std::span<const QuestionAtom> atoms) {
  bool named = false;
  for (std::size_t i = 0; i < atoms.size(); ++i) {
    const string_view word = atoms[i].text;
    const string_view next = i + 1 < atoms.size() ? string_view(atoms[i + 1].text) : string_view();
    named = named || atoms[i].name;
    if (is_one_of(word, kPointsBack) && !named) return true;
    if (word == "this" && !is_one_of(next, kTimes)) return true;
    if (word == "that" && (next.empty() || next == "one")) return true;
  }
  return is_one_of(atoms.back().text, kPointsBackAtTheEnd);
}

bool goes_on(std::span<const QuestionAtom> atoms) {
  return is_one_of(atoms.front().text, kGoesOn) || is_one_of(atoms.back().text, kGoesOn);
}

/// "What about Paris?"
bool asks_the_same_of_another(std::span<const QuestionAtom> atoms) {
  return atoms.size() > 1 && atoms[1].text == "about" && (atoms[0].text == "what" || atoms[0].text == "how");
}

bool is_chinese(string_view atom) { return atom.size() == 3 && static_cast<unsigned char>(atom[0]) >= 0xe4; }

std::string joined(std::span<const QuestionAtom> atoms) {
  std::string text;
  for (const QuestionAtom& atom : atoms) {
    if (!is_chinese(atom.text)) text += ' ';
    text += atom.text;
  }
  return text;
}

bool points_back(std::string chinese) {
  for (const string_view other : kChineseOthers) {
    for (std::size_t at = chinese.find(other); at != std::string::npos; at = chinese.find(other, at + 1)) {
      chinese.replace(at, other.size(), " ");
    }
  }
  return std::ranges::any_of(kChinesePointsBack,
                             [&](string_view word) { return chinese.find(word) != std::string::npos; });
}

bool goes_on(string_view chinese) {
  if (chinese.ends_with("呢") && chinese.size() <= kShortBytes) return true;
  return std::ranges::any_of(kChineseGoesOn, [&](string_view word) { return chinese.starts_with(word); });
}

bool names(const QuestionToken& token) {
  return token.part == QuestionPart::content || token.part == QuestionPart::number;
}

/// Whether it says by itself what is asked, and of what.
bool is_whole(const QuestionFeatures& features) {
  const auto named = static_cast<std::size_t>(std::ranges::count_if(features.tokens, names));
  const auto characters = static_cast<std::size_t>(std::ranges::count_if(
      features.tokens, [](const QuestionToken& token) { return names(token) && is_chinese(token.text); }));
  return !features.asks.empty() && (features.names > 0 ? named > 1 : characters >= kWholeCharacters);
}

}  // namespace

bool is_follow_up(string_view question) {
  const std::vector<QuestionAtom> atoms = question_atoms(question);
  const QuestionFeatures features = question_features(question);
  const bool is_read = !features.tokens.empty() || features.canonical.empty();  // else it is too long
  if (!is_read) return false;
  if (atoms.empty() || std::ranges::none_of(features.tokens, names)) return true;
  const std::string chinese = joined(atoms);
  if (points_back(atoms) || points_back(chinese) || asks_the_same_of_another(atoms)) return true;
  return (goes_on(atoms) || goes_on(string_view(chinese))) && !is_whole(features);
}

FollowUp follow_up(string_view question, std::span<const std::string> earlier) {
  FollowUp understood{std::string(utf8::trim(question)), std::string(utf8::trim(question))};
  if (earlier.empty() || !is_follow_up(question)) return understood;
  understood.goes_on = true;
  const auto add = [](std::string& text, string_view part) { (text += ' ') += utf8::trim(part); };
  const auto whole = std::ranges::find_if_not(earlier.rbegin(), earlier.rend(), is_follow_up);
  if (whole != earlier.rbegin()) {
    add(understood.full, earlier.back());
    add(understood.own, earlier.back());
  }
  if (whole != earlier.rend()) add(understood.full, *whole);
  return understood;
}

}  // namespace hasten
