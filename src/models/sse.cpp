#include "models/sse.hpp"

#include <utility>

namespace hasten {

SseParser::SseParser(std::function<void(std::string_view)> on_data) : on_data_(std::move(on_data)) {}

void SseParser::put(std::string_view chunk) {
  while (!chunk.empty()) {
    const std::size_t end = chunk.find_first_of("\r\n");
    line_ += chunk.substr(0, end);
    if (end == std::string_view::npos) return;
    end_line();  // the second half of a CRLF ends an empty line, which says nothing
    chunk.remove_prefix(end + 1);
  }
}

void SseParser::finish() { end_line(); }

void SseParser::end_line() {
  const std::string line = std::exchange(line_, {});
  constexpr std::string_view kData = "data:";
  if (!line.starts_with(kData)) return;
  std::string_view value = std::string_view(line).substr(kData.size());
  if (value.starts_with(' ')) value.remove_prefix(1);
  on_data_(value);
}

}  // namespace hasten
