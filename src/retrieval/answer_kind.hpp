#pragma once

#include "retrieval/question_features.hpp"

namespace hasten {

/// A kind of thing that a question can ask for and that can be told in a sentence from its words alone.
enum class AnswerKind {
  any,     ///< whatever else
  number,  ///< how many, how long, 多少, 几
  date,    ///< when, in which year, 何时
  name,    ///< who, where: in scripts with capital letters
};

AnswerKind kind_asked(const QuestionFeatures& question);

/// Whether the sentence has a thing of this kind; numbers and names that the question has itself do not
/// count. Every sentence has something of `any`.
bool has(AnswerKind kind, const QuestionFeatures& sentence, const QuestionFeatures& question);

}  // namespace hasten
