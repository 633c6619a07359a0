#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/document.hpp"
#include "hasten/trace.hpp"

namespace hasten::cli {

/// The order of the fields is the order they were put in: the same output for the same answer.
using Json = nlohmann::ordered_json;

/// stdout was closed by its reader (`hasten ... | head`): the program ends quietly.
struct OutputClosed {};

/// What goes to stdout. @throws OutputClosed; Error(full|io) it cannot be written.
void print(std::string_view text);
void print_line(std::string_view text);
/// One object, one line. Bytes that are no UTF-8 are replaced.
void print_json(const Json& object);
void flush_output();

/// A line on stderr, its line breaks folded: "note: ...".
void print_note(std::string_view message);
void print_error(Code code, std::string_view message);
/// What print_error() prints after the kind: one line, whatever a server or a library put into its words; on
/// a terminal the line of an expression that a caret points into stays below, with its caret.
std::string error_words(std::string_view message, bool on_terminal);
/// How wide lines on stdout are made.
std::size_t output_columns();
/// " (page 3)", or nothing.
std::string page_words(const std::optional<std::uint64_t>& page);
/// The waterfall on stderr, after what stdout has so far.
void print_trace(const std::vector<Stage>& stages);

Json to_json(const std::vector<Stage>& stages);
Json to_json(const Span& span);
Json to_json(const Hit& hit);
Json to_json(const Citation& citation);

}  // namespace hasten::cli
