#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hasten {

/// Reads a stream of server-sent events that comes in chunks cut anywhere. Comments, event names
/// and ids are skipped; lines end with LF, CR or CRLF. Each data line is passed on at once: no
/// OpenAI-compatible server spreads one event over lines, and some leave out the empty line
/// between two. Not thread-safe.
/// Source: HTML Living Standard, section 9.2.6, "Interpreting an event stream".
class SseParser {
 public:
  /// @param on_data  called with what follows "data:" in a line, within put() and finish().
  explicit SseParser(std::function<void(std::string_view)> on_data);

  void put(std::string_view chunk);
  /// The end of the stream, which may stand for the end of the last line.
  void finish();

 private:
  void end_line();

  std::function<void(std::string_view)> on_data_;
  std::string line_;
};

}  // namespace hasten
