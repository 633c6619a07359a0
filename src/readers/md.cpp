#include <algorithm>
#include <optional>

#include "base/utf8.hpp"
#include "readers/encoding.hpp"
#include "readers/format_list.hpp"
#include "readers/front_matter.hpp"

namespace hasten {
namespace {

/// The text of "# Heading" or "## Heading ##"; nothing for a line that is none.
std::optional<std::string_view> atx_heading(std::string_view line) {
  const std::size_t level = line.find_first_not_of('#');
  if (level == 0 || level > 6 || level == std::string_view::npos) return std::nullopt;
  if (line[level] != ' ' && line[level] != '\t') return std::nullopt;
  std::string_view title = utf8::trim(line.substr(level));
  const std::size_t end = title.find_last_not_of('#');
  if (end == std::string_view::npos) return std::nullopt;
  if (title[end] == ' ' || title[end] == '\t') title = utf8::trim(title.substr(0, end));
  return title;
}

bool is_underline(std::string_view line) {
  const std::string_view text = utf8::trim(line);
  return text.size() > 1 && text.find_first_not_of(text.front() == '=' ? '=' : '-') == std::string_view::npos;
}

bool is_fence(std::string_view line) {
  const std::string_view text = utf8::trim(line);
  return text.starts_with("```") || text.starts_with("~~~");
}

/// The first heading outside of fenced code.
std::optional<std::string_view> first_heading(std::string_view text) {
  bool fenced = false;
  std::string_view previous;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (is_fence(line)) fenced = !fenced;
    if (!fenced) {
      if (const auto heading = atx_heading(line)) return heading;
      if (!utf8::trim(previous).empty() && is_underline(line)) return utf8::trim(previous);
    }
    previous = fenced ? std::string_view() : line;
  }
  return std::nullopt;
}

/// The text is the file's own from the end of its front matter on.
class MdReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    Extracted extracted{decode_text(bytes, limits.text_bytes_max), {}, "md", {}};
    FrontMatter front = parse_front_matter(extracted.text);
    extracted.text.erase(0, front.size);
    extracted.metadata = std::move(front.fields);
    constexpr std::size_t kTitleBytesMax = 512;
    const auto heading = first_heading(extracted.text);
    if (heading && heading->size() <= kTitleBytesMax) {
      extracted.metadata.try_emplace("title", std::string(*heading));
    }
    return extracted;
  }
};

}  // namespace

std::unique_ptr<Reader> make_md_reader() { return std::make_unique<MdReader>(); }

}  // namespace hasten
