#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// What a word does in a question.
enum class QuestionPart : std::uint8_t {
  content,   ///< says what is asked about
  light,     ///< may be left out: articles, forms of "be", 的
  number,    ///< in one form, with its unit: "1,000" and 一千 are "1000", "5 kilograms" is "5 kg"
  negation,  ///< not, never, without, 不, 没
  asks,      ///< which kind of answer is wanted: who, when, how many
};

struct QuestionToken {
  std::string text;
  QuestionPart part = QuestionPart::content;
  bool name = false;  ///< capitalised within a sentence, or Latin letters among Chinese
};

/// What of a question decides what it asks for, English and Chinese. Courtesies around it ("Hi, could you
/// tell me: ...", 请问...呢) are gone; width, case, accents, traditional characters and plurals are folded;
/// numbers, dates, units and question words have one form each: 何时 is 什么时候. A Chinese character is a
/// token, as cuts into words differ with what stands around them.
struct QuestionFeatures {
  std::vector<QuestionToken> tokens;
  /// The tokens without the light ones, in order: questions that are equal in it ask the same. Can be a
  /// cache's key, before anything is embedded. Never empty where the text has a letter or digit.
  std::string canonical;
  /// The light tokens, in order, that canonical leaves out.
  std::string light;
  std::string numbers;  ///< sorted
  std::string asks;     ///< sorted, each once, but for "?what", which wants anything
  std::size_t negations = 0;
  std::size_t names = 0;
};

/// @param text  UTF-8; invalid bytes separate words. Longer ones than 4,096 bytes are features of their whole
///              text, unread: only the same text equals them.
/// Thread-safe. Some ten microseconds for a question of twenty words.
QuestionFeatures question_features(std::string_view text);

}  // namespace hasten
