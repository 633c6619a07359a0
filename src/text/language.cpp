#include "text/language.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/utf8.hpp"

namespace hasten {
namespace {

// So much tells the language; a book's beginning is not always in it, but nearly.
constexpr std::size_t kBytesMax = 16384;

enum Script : std::uint8_t {
  latin,
  han,
  kana,
  hangul,
  cyrillic,
  arabic,
  hebrew,
  greek,
  thai,
  devanagari,
  kScripts,
  none
};

struct Range {
  char32_t from, to;
  Script script;
};

constexpr std::array<Range, 12> kRanges = {{{'A', 'Z', latin},
                                            {'a', 'z', latin},
                                            {0xC0, 0x24F, latin},
                                            {0x370, 0x3FF, greek},
                                            {0x400, 0x52F, cyrillic},
                                            {0x590, 0x5FF, hebrew},
                                            {0x600, 0x6FF, arabic},
                                            {0x750, 0x77F, arabic},
                                            {0x900, 0x97F, devanagari},
                                            {0xE01, 0xE5B, thai},
                                            {0x1E00, 0x1EFF, latin},
                                            {0x1F00, 0x1FFF, greek}}};

Script script_of(char32_t c) {
  for (const Range& range : kRanges) {
    if (c >= range.from && c <= range.to) return range.script;
  }
  if (utf8::is_kana(c)) return kana;
  if (utf8::is_han(c)) return han;
  return utf8::is_hangul(c) ? hangul : none;
}

/// How much text a character stands for: a Chinese one is about half a word, a Latin one a fifth.
constexpr std::array<unsigned, kScripts> kWeights = {2, 5, 5, 5, 2, 2, 2, 2, 2, 2};
constexpr std::array<std::string_view, kScripts> kLanguages = {"",   "zh", "ja", "ko", "ru",
                                                               "ar", "he", "el", "th", "hi"};

/// The commonest words of a language, told apart from its neighbours'; a word of two counts for both, and
/// the first named wins where nothing else tells. In lower case.
struct Language {
  std::string_view name;
  std::string_view words;  // between spaces
};

constexpr std::array<Language, 8> kLatinLanguages = {{
    {"en",
     " the of and to is that it was for are with as his they be at this have from by not but "
     "what all were when your can said there an each which do how their if will who has "
     "been would about on or you we i my she her him our us who where why does did could should these "
     "those any then than "},
    {"de",
     " der die und den von zu das mit sich des auf für ist im dem nicht ein eine als auch es "
     "wird sind einer um noch wie hat nach bei aus wenn werden oder wurde durch über "},
    {"fr",
     " le la les des et est une un du dans que qui pour au pas sur plus par je avec ne se "
     "sont ce il cette mais ou nous vous être aux leur elle été "},
    {"es",
     " el los las y del que en es por una un con para su al lo como más pero sus le ya o "
     "este sí porque esta entre cuando muy sin sobre también fue "},
    {"it",
     " il i che di è per un una non del della sono con si gli le dei nel alla più anche come "
     "ma da questo era delle ha al dal degli "},
    {"pt",
     " o os as do da em um uma que é para com não dos das no na por mais se como foi ao ele "
     "sua ou ser são também pelo "},
    {"nl",
     " de het een van en dat is op te voor met zijn niet aan er om ook als bij door worden "
     "naar heeft uit maar wordt deze nog "},
    {"pl", " i w na z do się nie że jest to jak po od za przez dla są ale oraz był o tym "},
}};

/// A word, and a bit for each language that it is common in.
struct CommonWord {
  std::string_view text;
  std::uint8_t languages = 0;
};

constexpr std::size_t kWordsMax = 512;  // of all languages together

struct CommonWords {
  std::array<CommonWord, kWordsMax> words;  // rising
  std::size_t size = 0;
};

consteval CommonWords common_words() {
  CommonWords common;
  for (std::size_t i = 0; i < kLatinLanguages.size(); ++i) {
    const std::string_view words = kLatinLanguages[i].words;
    for (std::size_t from = 1; from < words.size(); from = words.find(' ', from) + 1) {
      common.words[common.size++] = {words.substr(from, words.find(' ', from) - from),
                                     static_cast<std::uint8_t>(1u << i)};
    }
  }
  std::ranges::sort(common.words.begin(), common.words.begin() + common.size, {}, &CommonWord::text);
  return common;
}

constexpr CommonWords kCommonWords = common_words();

/// The languages that a word is common in, a bit each.
std::uint8_t languages_with(std::string_view word) {
  const auto end = kCommonWords.words.begin() + kCommonWords.size;
  std::uint8_t languages = 0;
  for (auto at = std::ranges::lower_bound(kCommonWords.words.begin(), end, word, {}, &CommonWord::text);
       at != end && at->text == word; ++at) {
    languages |= at->languages;
  }
  return languages;
}

/// Words of a text that are common in each language of Latin script; the highest count wins.
std::string_view latin_language(std::string_view text) {
  std::array<std::size_t, kLatinLanguages.size()> hits{};
  std::size_t words = 0;
  std::array<char, 16> word;  // a longer one is common in none
  std::size_t size = 0;
  const auto finish = [&] {
    if (size == 0) return;
    ++words;
    if (size < word.size()) {
      const unsigned languages = languages_with({word.data(), size});
      for (std::size_t i = 0; i < hits.size(); ++i) hits[i] += languages >> i & 1;
    }
    size = 0;
  };
  for (char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = upper || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (!letter) {
      finish();
    } else if (size < word.size()) {
      word[size++] = upper ? static_cast<char>(c + ('a' - 'A')) : c;
    }
  }
  finish();
  const auto best = std::max_element(hits.begin(), hits.end());
  // Names and codes hold a common word by chance; running text has one word in three or four.
  if (*best == 0 || *best * 20 < words) return "und";
  return kLatinLanguages[static_cast<std::size_t>(best - hits.begin())].name;
}

}  // namespace

std::string_view language_of(std::string_view text) noexcept {
  text = text.substr(0, utf8::floor_border(text, std::min(text.size(), kBytesMax)));
  std::array<std::size_t, kScripts> weights{};
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = utf8::decode(text, at);
    const Script script = script_of(c);
    if (script != none) weights[script] += kWeights[script];
    at += size;
  }
  // Japanese mixes kana and Han: one kana in ten is enough.
  if (weights[kana] * 10 > weights[han] && weights[kana] > 0) {
    weights[kana] += weights[han];
    weights[han] = 0;
  }
  const auto best = std::max_element(weights.begin(), weights.end());
  if (*best == 0) return "und";
  const auto script = static_cast<std::size_t>(best - weights.begin());
  return script == latin ? latin_language(text) : kLanguages[script];
}

}  // namespace hasten
