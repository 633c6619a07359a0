#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Passes on text that comes in pieces cut anywhere: only whole characters, and nothing from the
/// first of the stop strings on. Not thread-safe.
class AnswerStream {
 public:
  /// @param on_text  may be empty.
  AnswerStream(std::vector<std::string> stops, std::function<void(std::string_view)> on_text);

  /// Takes a piece. @return false once a stop string has been met; later pieces are dropped.
  bool put(std::string_view piece);
  /// Passes on what was held back; bytes that are no character become U+FFFD.
  void finish();
  /// What was passed on so far.
  const std::string& text() const noexcept { return text_; }

 private:
  void pass_on(std::size_t bytes);
  std::size_t held_for_stops() const;

  std::vector<std::string> stops_;
  std::function<void(std::string_view)> on_text_;
  std::string text_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace hasten
