#include "models/answer_stream.hpp"

#include <algorithm>
#include <utility>

#include "base/utf8.hpp"

namespace hasten {
namespace {

// Bytes at the end of `text` that may be the beginning of one character.
std::size_t unfinished_bytes(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const std::size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return back < size ? back : 0;
  }
  return 0;
}

}  // namespace

AnswerStream::AnswerStream(std::vector<std::string> stops, std::function<void(std::string_view)> on_text)
    : stops_(std::move(stops)), on_text_(std::move(on_text)) {
  std::erase(stops_, "");
}

bool AnswerStream::put(std::string_view piece) {
  if (stopped_) return false;
  held_ += piece;
  std::size_t stop = std::string::npos;
  for (const std::string& s : stops_) stop = std::min(stop, held_.find(s));
  if (stop != std::string::npos) {
    stopped_ = true;
    held_.resize(stop);
    finish();
    return false;
  }
  pass_on(held_.size() - std::max(held_for_stops(), unfinished_bytes(held_)));
  return true;
}

void AnswerStream::finish() { pass_on(held_.size()); }

// Bytes at the end that a stop string begins with.
std::size_t AnswerStream::held_for_stops() const {
  std::size_t most = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > most; --n) {
      if (held_.ends_with(std::string_view(stop).substr(0, n))) most = n;
    }
  }
  return most;
}

void AnswerStream::pass_on(std::size_t bytes) {
  if (bytes == 0) return;
  const std::string_view raw(held_.data(), bytes);
  const std::string clean = utf8::valid(raw) ? std::string(raw) : utf8::sanitise(raw);
  held_.erase(0, bytes);
  text_ += clean;
  if (on_text_) on_text_(clean);
}

}  // namespace hasten
