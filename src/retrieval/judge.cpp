#include "retrieval/judge.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "text/language.hpp"

namespace hasten {
namespace {

constexpr std::size_t kPassageTokensMax = 768;

/// What is asked in one language. The question comes before the passage: what stands before the passage
/// is the same for all of them and is read once.
struct Wording {
  std::string_view instruction, question, passage, task, yes, no;
};

constexpr Wording kEnglish = {
    "You decide whether a passage answers a question. Say Yes or No and nothing else.",
    "Question: ",
    "\nPassage: ",
    "\nDoes the passage answer the question? Yes or No?",
    "Yes",
    "No"};
constexpr Wording kChinese = {"你判断一段文字能否回答问题。只说“是”或“否”。", "问题：", "\n文字：",
                              "\n这段文字能回答这个问题吗？是还是否？",       "是",     "否"};

}  // namespace

Judge::Judge(std::shared_ptr<const Generator> generator)
    : generator_(std::move(generator)), weigher_(dynamic_cast<const AnswerWeigher*>(generator_.get())) {
  if (weigher_ == nullptr) {
    throw Error(Code::unsupported,
                fmt::format("the reranker 'judge' needs a generator that gives probabilities, which {} does "
                            "not; a GGUF generator does",
                            generator_->name()));
  }
}

std::vector<double> Judge::score(std::string_view question, std::span<const Hit> passages,
                                 std::stop_token stop) const {
  const Wording& words = language_of(question) == "zh" ? kChinese : kEnglish;
  std::vector<std::vector<Message>> prompts;
  for (const Hit& passage : passages) {
    prompts.push_back({{"system", std::string(words.instruction)},
                       {"user", fmt::format("{}{}{}{}{}", words.question, question, words.passage,
                                            beginning(passage.node.text), words.task)}});
  }
  return weigher_->log_odds(prompts, words.yes, words.no, std::move(stop));
}

std::string Judge::beginning(const std::string& passage) const {
  std::string_view text = passage;
  for (std::size_t n = generator_->count(text); n > kPassageTokensMax; n = generator_->count(text)) {
    text = text.substr(0, utf8::floor_border(text, text.size() * kPassageTokensMax / n));
  }
  return std::string(text);
}

}  // namespace hasten
