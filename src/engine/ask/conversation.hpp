#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "retrieval/follow_up.hpp"

namespace hasten {

/// A question, and what it was answered.
struct Turn {
  std::string question, answer;
};

/// What was said before under a session's name: the last turns, kept in the cache `sessions`, where other
/// processes may go on from them. One thread at a time.
class Conversation {
 public:
  static constexpr std::size_t kTurnsMax = 8;
  static constexpr std::size_t kAnswerBytesMax = 4096;  ///< of what is kept of an answer

  /// @param session  "": none; nothing was said, and nothing is kept.
  Conversation(KnowledgeBase& kb, std::string_view session);

  const std::vector<Turn>& turns() const noexcept { return turns_; }
  /// What a question asks together with those before it.
  FollowUp understood(std::string_view question) const;
  /// Adds a turn after those that are there now, another process's too; of two first turns at a time one is
  /// kept. Where a cache server does not answer, what was said may be lost.
  void add(Turn turn);

 private:
  KnowledgeBase& kb_;
  std::string key_;  // "" without a session
  std::vector<Turn> turns_;
};

std::string encode(const std::vector<Turn>& turns);
/// Nothing, not even a turn, where these are no bytes of encode().
std::vector<Turn> decode_turns(std::string_view bytes);

}  // namespace hasten
