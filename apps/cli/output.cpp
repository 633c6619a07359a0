#include "output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/metadata.hpp"
#include "terminal.hpp"

namespace hasten::cli {
namespace {

constexpr std::size_t kColumnsOfPlainOutput = 160;

[[noreturn]] void fail_to_write() {
  const int reason = errno;
  if (reason == EPIPE) throw OutputClosed{};
  throw Error(reason == ENOSPC ? Code::full : Code::io,
              fmt::format("stdout cannot be written: {}", std::strerror(reason)));
}

std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!blank)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_to_write();
}

void print_line(std::string_view text) {
  print(text);
  print("\n");
}

void print_json(const Json& object) {
  print_line(object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_to_write();
}

std::size_t output_columns() {
  const int columns = terminal_columns(STDOUT_FILENO);
  return columns > 20 ? static_cast<std::size_t>(columns) : kColumnsOfPlainOutput;
}

std::string page_words(const std::optional<std::uint64_t>& page) {
  return page ? fmt::format(" (page {})", *page) : "";
}

void print_note(std::string_view message) { fmt::print(stderr, "note: {}\n", one_line(message)); }

void print_error(Code code, std::string_view message) {
  fmt::print(stderr, "error: {}: {}\n", to_string(code),
             error_words(message, terminal_columns(STDERR_FILENO) > 0));
}

std::string error_words(std::string_view message, bool on_terminal) {
  const std::size_t shown = message.find('\n');
  const std::size_t pointer = shown == message.npos ? shown : message.find('\n', shown + 1);
  const std::size_t caret = pointer == message.npos ? pointer : message.find_first_not_of(' ', pointer + 1);
  const bool points = caret != message.npos && message[caret] == '^';
  if (!on_terminal || !points) return one_line(message);
  const std::string_view after = message.substr(caret + 1);
  return fmt::format("{}{}{}", one_line(message.substr(0, shown)), one_line(after),
                     message.substr(shown, caret + 1 - shown));
}

void print_trace(const std::vector<Stage>& stages) {
  flush_output();
  fmt::print(stderr, "{}", waterfall(stages));
}

Json to_json(const std::vector<Stage>& stages) {
  Json list = Json::array();
  for (const Stage& stage : stages) {
    Json notes = Json::object();
    for (const auto& [key, value] : stage.notes) notes[key] = value;
    list.push_back({{"name", stage.name},
                    {"start_ms", stage.start_ms},
                    {"duration_ms", stage.duration_ms},
                    {"depth", stage.depth},
                    {"notes", std::move(notes)}});
  }
  return list;
}

Json to_json(const Span& span) { return Json::array({span.from, span.to}); }

Json to_json(const Hit& hit) {
  Json object = {{"id", hit.node.id.to_string()},
                 {"doc_id", hit.node.doc_id.to_string()},
                 {"path", hit.path},
                 {"root", hit.root},
                 {"group", hit.node.group},
                 {"number", hit.node.number},
                 {"span", to_json(hit.node.span)}};
  if (hit.page) object["page"] = *hit.page;
  if (hit.node.derived) object["derived"] = true;
  object["score"] = hit.score;
  if (hit.first_stage) {
    object["first_stage"] = {{"rank", hit.first_stage->rank}, {"score", hit.first_stage->score}};
  }
  object["text"] = hit.node.text;
  object["metadata"] = hasten::to_json(hit.node.metadata);
  return object;
}

Json to_json(const Citation& citation) {
  Json object = {{"number", citation.number}, {"path", citation.path}, {"span", to_json(citation.span)}};
  object["page"] = citation.page ? Json(*citation.page) : Json(nullptr);
  object["text"] = citation.text;
  object["doc_id"] = citation.doc_id.to_string();
  object["node_id"] = citation.node_id.to_string();
  object["support"] = citation.support;
  return object;
}

}  // namespace hasten::cli
