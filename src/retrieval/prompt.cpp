#include "retrieval/prompt.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "text/sentences.hpp"

namespace hasten {
namespace {

// Short, and the question last: small models follow what they read last, and nothing else for long.
constexpr std::string_view kSystem =
    "You answer questions from the passages you are given and from nothing else, in the language of "
    "the question.";
constexpr std::string_view kPattern =
    "{context}\nAnswer the question with one short sentence from the text above.\n"
    "Question: {question}";

constexpr std::size_t kPassageTokensMin = 8;

/// `pattern` with {context} and {question} filled in; what is filled in is not searched again.
std::string fill(std::string_view pattern, std::string_view context, std::string_view question) {
  std::string text;
  while (!pattern.empty()) {
    const std::size_t brace = std::min(pattern.find('{'), pattern.size());
    text += pattern.substr(0, brace);
    pattern.remove_prefix(brace);
    if (pattern.starts_with("{context}")) {
      text += context;
      pattern.remove_prefix(std::string_view("{context}").size());
    } else if (pattern.starts_with("{question}")) {
      text += question;
      pattern.remove_prefix(std::string_view("{question}").size());
    } else if (!pattern.empty()) {
      text += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return text;
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

/// The last pairs of question and answer that `budget` tokens hold, and how many tokens those are.
std::pair<std::span<const Message>, std::size_t> last_turns(
    std::span<const Message> earlier, std::size_t budget,
    const std::function<std::size_t(std::string_view)>& count) {
  std::size_t used = 0, from = earlier.size();
  while (from >= 2) {
    const std::size_t turn = count(earlier[from - 2].content) + count(earlier[from - 1].content);
    if (used + turn > budget) break;
    used += turn;
    from -= 2;
  }
  return {earlier.subspan(from), used};
}

}  // namespace

Prompt make_prompt(std::string_view question, std::span<const Message> earlier,
                   std::span<const Passage> passages, std::string_view pattern, std::size_t budget,
                   const std::function<std::size_t(std::string_view)>& count) {
  Prompt prompt;
  if (pattern.empty()) pattern = kPattern;
  auto [said, said_tokens] = last_turns(earlier, budget / 3, count);
  std::size_t fixed = count(kSystem) + count(pattern) + count(question);
  if (fixed + said_tokens + kPassageTokensMin >= budget) {
    said = {};
  } else {
    fixed += said_tokens;
  }
  std::size_t used = fixed;
  std::string context;
  for (const Passage& passage : passages) {
    std::string block = fmt::format("[{}] {}\n", prompt.passages + 1, passage.text);
    std::size_t tokens = count(block);
    if (used + tokens > budget) {
      if (prompt.passages > 0 || fixed + kPassageTokensMin >= budget) break;
      block = fmt::format("[1] {}\n", cut(passage.text, budget - fixed - kPassageTokensMin, count));
      tokens = count(block);
    }
    context += block;
    used += tokens;
    ++prompt.passages;
  }
  prompt.messages.push_back({"system", std::string(kSystem)});
  prompt.messages.insert(prompt.messages.end(), said.begin(), said.end());
  prompt.messages.push_back({"user", fill(pattern, context, question)});
  return prompt;
}

}  // namespace hasten
