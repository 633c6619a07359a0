#include "engine/ask/conversation.hpp"

#include <algorithm>
#include <utility>

#include "base/packing.hpp"
#include "base/utf8.hpp"
#include "core/ids.hpp"

namespace hasten {
namespace {

constexpr std::uint32_t kFormat = 1;
constexpr int kTries = 8;  // to add a turn while others add theirs

}  // namespace

std::string encode(const std::vector<Turn>& turns) {
  Packer packer;
  packer.value(kFormat).value<std::uint64_t>(turns.size());
  for (const Turn& turn : turns) packer.text(turn.question).text(turn.answer);
  return std::move(packer).bytes();
}

std::vector<Turn> decode_turns(std::string_view bytes) {
  Unpacker unpacker(bytes);
  if (unpacker.value<std::uint32_t>() != kFormat) return {};
  std::vector<Turn> turns;
  for (std::size_t n = unpacker.count(); n > 0; --n) {
    Turn& turn = turns.emplace_back();
    turn.question = unpacker.text();
    turn.answer = unpacker.text();
  }
  return unpacker.whole() ? turns : std::vector<Turn>{};
}

Conversation::Conversation(KnowledgeBase& kb, std::string_view session) : kb_(kb) {
  if (session.empty()) return;
  key_ = id_of({"session", kb.identity(), session}).to_string();
  if (const auto bytes = kb.caches.get(Cached::sessions, key_)) turns_ = decode_turns(*bytes);
}

FollowUp Conversation::understood(std::string_view question) const {
  if (turns_.empty()) return {std::string(question), std::string(question)};
  std::vector<std::string> earlier;
  for (const Turn& turn : turns_) earlier.push_back(turn.question);
  return follow_up(question, earlier);
}

void Conversation::add(Turn turn) {
  if (key_.empty()) return;
  turn.answer.resize(utf8::floor_border(turn.answer, std::min(turn.answer.size(), kAnswerBytesMax)));
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto before = kb_.caches.get(Cached::sessions, key_);
    if (before) turns_ = decode_turns(*before);
    turns_.push_back(turn);
    if (turns_.size() > kTurnsMax) turns_.erase(turns_.begin());
    const std::string now = encode(turns_);
    if (!before) return kb_.caches.put(Cached::sessions, key_, now);
    if (kb_.caches.replace(Cached::sessions, key_, *before, now)) return;
  }
}

}  // namespace hasten
