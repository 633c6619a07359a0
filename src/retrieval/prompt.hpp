#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/generator.hpp"
#include "retrieval/citations.hpp"

namespace hasten {

/// The messages that ask for an answer, and how many of the passages fitted in.
struct Prompt {
  std::vector<Message> messages;
  std::size_t passages = 0;
};

/// Packs what was said before, as much of its end as a third of `budget` tokens holds, and as many passages,
/// best first, as `budget` tokens hold, whole ones only, but never none: the first is cut at a sentence end
/// if it must be.
/// @param earlier  what was said before, question and answer in turn; may be empty.
/// @param pattern  with {context} and {question}; empty: the built-in one.
/// @param count    tokens of a text.
Prompt make_prompt(std::string_view question, std::span<const Message> earlier,
                   std::span<const Passage> passages, std::string_view pattern, std::size_t budget,
                   const std::function<std::size_t(std::string_view)>& count);

}  // namespace hasten
