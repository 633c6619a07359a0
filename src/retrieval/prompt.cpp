#include "retrieval/prompt.hpp"

#include <fmt/format.h>

#include "text/sentences.hpp"

namespace hasten {
namespace {

constexpr std::string_view kSystem =
    "You answer questions from the numbered passages you are given and from nothing else. Answer in "
    "the language of the question, in one to three short sentences, in the words of the passages. "
    "If they do not hold the answer, say so.";
constexpr std::string_view kPattern = "Passages:\n{context}\nQuestion: {question}\nAnswer:";

void replace(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// The longest run of first sentences that `budget` tokens hold.
std::string_view cut(std::string_view text, std::size_t budget,
                     const std::function<std::size_t(std::string_view)>& count) {
  std::size_t end = 0;
  for (const Span& span : sentences(text)) {
    if (count(text.substr(0, span.to)) > budget) break;
    end = span.to;
  }
  return text.substr(0, end);
}

}  // namespace

Prompt make_prompt(std::string_view question, std::span<const Passage> passages,
                   std::string_view pattern, std::size_t budget,
                   const std::function<std::size_t(std::string_view)>& count) {
  Prompt prompt;
  std::string user(pattern.empty() ? kPattern : pattern);
  const std::size_t fixed = count(kSystem) + count(user) + count(question);
  std::size_t used = fixed;
  std::string context;
  for (const Passage& passage : passages) {
    std::string block = fmt::format("[{}] {}\n", prompt.passages + 1, passage.text);
    std::size_t tokens = count(block);
    if (used + tokens > budget) {
      if (prompt.passages > 0 || fixed + 8 >= budget) break;
      block = fmt::format("[1] {}\n", cut(passage.text, budget - fixed - 8, count));
      tokens = count(block);
    }
    context += block;
    used += tokens;
    ++prompt.passages;
  }
  replace(user, "{question}", question);
  replace(user, "{context}", context);
  prompt.messages = {{"system", std::string(kSystem)}, {"user", user}};
  return prompt;
}

}  // namespace hasten
