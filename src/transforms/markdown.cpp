#include "transforms/markdown.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/utf8.hpp"

namespace hasten {
namespace {

constexpr std::size_t kIndentMax = 3;  // from four spaces on a line is code

/// `line` without its indentation; nothing when that makes it code.
std::optional<std::string_view> unindented(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  if (indent > kIndentMax || line.substr(indent).starts_with('\t')) return std::nullopt;
  return line.substr(indent);
}

std::size_t run_length(std::string_view line, char c) {
  return std::min(line.find_first_not_of(c), line.size());
}

/// "## Title ##" -> level 2, "Title".
std::optional<std::pair<std::size_t, std::string>> atx_heading(std::string_view line) {
  const auto body = unindented(line);
  if (!body) return std::nullopt;
  const std::size_t level = run_length(*body, '#');
  if (level < 1 || level > 6) return std::nullopt;
  std::string_view title = body->substr(level);
  if (!title.empty() && title.front() != ' ' && title.front() != '\t') return std::nullopt;
  title = utf8::trim(title);
  const std::size_t text_end = title.find_last_not_of('#');
  if (text_end == std::string_view::npos) return std::pair(level, std::string());
  const bool closed = title[text_end] == ' ' || title[text_end] == '\t';
  return std::pair(level, std::string(utf8::trim(closed ? title.substr(0, text_end) : title)));
}

/// The level of the heading that this line underlines: 1 "===", 2 "---"; 0: none.
std::size_t setext_level(std::string_view line) {
  const auto body = unindented(line);
  if (!body) return 0;
  const std::string_view rule = utf8::trim(*body);
  if (rule.size() < 2) return 0;
  if (run_length(rule, '=') == rule.size()) return 1;
  return run_length(rule, '-') == rule.size() ? 2 : 0;
}

/// What opens a block of code: its character and how many of it.
struct Fence {
  char mark;
  std::size_t size;
};

std::optional<Fence> opening_fence(std::string_view line) {
  const auto body = unindented(line);
  if (!body || body->empty() || (body->front() != '`' && body->front() != '~')) return std::nullopt;
  const Fence fence{body->front(), run_length(*body, body->front())};
  const bool inline_code = fence.mark == '`' && body->find('`', fence.size) != std::string_view::npos;
  if (fence.size < 3 || inline_code) return std::nullopt;
  return fence;
}

bool closes(Fence fence, std::string_view line) {
  const auto body = unindented(line);
  if (!body) return false;
  const std::string_view marks = utf8::trim(*body);
  return marks.size() >= fence.size && run_length(marks, fence.mark) == marks.size();
}

bool is_table_row(std::string_view line) {
  const auto body = unindented(line);
  return body && body->starts_with('|');
}

class MarkdownLines {
 public:
  explicit MarkdownLines(std::string_view text) : text_(text), sections_(1) {}

  std::vector<MarkdownSection> sections() && {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      add_line({at, end});
      at = end + 1;
    }
    if (sections_.front().blocks.empty()) sections_.erase(sections_.begin());
    return std::move(sections_);
  }

 private:
  using Kind = Block::Kind;

  std::string_view text_of(Span span) const { return text_.substr(span.from, span.size()); }

  void add_line(Span span) {
    const std::string_view line = text_of(span);
    if (fence_) {
      extend(Kind::code, span);
      if (closes(*fence_, line)) {
        fence_.reset();
        open_ = false;
      }
    } else if (utf8::trim(line).empty()) {
      open_ = false;
    } else if (const auto heading = atx_heading(line)) {
      begin_section(heading->first, heading->second, span);
    } else if (const std::size_t level = can_be_underlined() ? setext_level(line) : 0) {
      underline(level, span);
    } else if ((fence_ = opening_fence(line))) {
      open_ = false;
      extend(Kind::code, span);
    } else {
      extend(is_table_row(line) ? Kind::table : Kind::text, span);
    }
  }

  /// Adds a line to the block that is open, or begins one.
  void extend(Kind kind, Span line) {
    auto& blocks = sections_.back().blocks;
    if (open_ && blocks.back().kind == kind) {
      blocks.back().span.to = line.to;
    } else {
      blocks.push_back({kind, line});
    }
    open_ = true;
  }

  /// Whether a paragraph is open: not a list, a quotation or the rule that opens front matter.
  bool can_be_underlined() const {
    if (!open_ || sections_.back().blocks.back().kind != Kind::text) return false;
    const std::string_view paragraph = utf8::trim(text_of(sections_.back().blocks.back().span));
    return std::string_view("-*+>=_").find(paragraph.front()) == std::string_view::npos;
  }

  /// The paragraph before `rule` is a heading.
  void underline(std::size_t level, Span rule) {
    const Span title = sections_.back().blocks.back().span;
    sections_.back().blocks.pop_back();
    std::string words(utf8::trim(text_of(title)));
    std::replace(words.begin(), words.end(), '\n', ' ');
    begin_section(level, std::move(words), {title.from, rule.to});
  }

  void begin_section(std::size_t level, std::string title, Span span) {
    trail_[level - 1] = std::move(title);
    std::fill(trail_.begin() + static_cast<std::ptrdiff_t>(level), trail_.end(), std::string());
    MarkdownSection section;
    for (const std::string& name : trail_) {
      if (name.empty()) continue;
      if (!section.heading.empty()) section.heading += " > ";
      section.heading += name;
    }
    section.blocks.push_back({Kind::heading, span});
    sections_.push_back(std::move(section));
    open_ = false;
  }

  std::string_view text_;
  std::vector<MarkdownSection> sections_;
  std::array<std::string, 6> trail_;  // the heading of each level that we are under
  std::optional<Fence> fence_;        // of the code that we are in
  bool open_ = false;                 // whether the next line may belong to the last block
};

}  // namespace

std::vector<MarkdownSection> markdown_sections(std::string_view text) {
  return MarkdownLines(text).sections();
}

}  // namespace hasten
