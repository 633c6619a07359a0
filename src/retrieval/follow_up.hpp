#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hasten {

/// Whether a question, English or Chinese, says what it is about only together with those before it: it
/// points back ("when was it built", 它在哪里), goes on ("and Shanghai?", 上海呢？), or names nothing
/// ("why?"). By words alone: "who designed the bridge", after talk of one bridge, stands for itself, and so
/// does "and who designed the Golden Gate Bridge?". Thread-safe. Some microseconds.
bool is_follow_up(std::string_view question);

/// What is asked by a question in a conversation.
struct FollowUp {
  /// The question, the one before it where that is a follow-up too, and the last one that is none: so it can
  /// be searched for by who has heard nothing else. The question alone where it is no follow-up.
  std::string full;
  std::string own;       ///< full without the last of these: what is new
  bool goes_on = false;  ///< whether full is more than the question
};

/// @param earlier  questions, in the order in which they were asked.
FollowUp follow_up(std::string_view question, std::span<const std::string> earlier);

}  // namespace hasten
