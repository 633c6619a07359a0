// Questions: any two are compared alike from either side, and each asks the same as itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "retrieval/question_features.hpp"
#include "retrieval/same_question.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t half = std::min(text.find('\n'), size);
  const QuestionFeatures a = question_features(text.substr(0, half));
  const QuestionFeatures b = question_features(text.substr(half));
  if (!a.canonical.empty() && !compare_questions(a, a).same_words) std::abort();
  const QuestionDifference there = compare_questions(a, b), back = compare_questions(b, a);
  if (there.same_words != back.same_words || there.refused != back.refused) std::abort();
  if (there.same_words && there.refused != QuestionCheck::none) std::abort();
  return 0;
}
