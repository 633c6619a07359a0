#include "readers/read_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

void make_clean(std::string& text) {
  if (text.find('\0') != std::string::npos || !utf8::valid(text)) text = utf8::sanitise(text);
}

void make_clean(Value& value) {
  if (auto* text = std::get_if<std::string>(&value)) make_clean(*text);
  if (auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (std::string& item : *list) make_clean(item);
  }
}

/// Page by page: cleaning changes sizes, and the pages must begin where they began.
void make_clean_pages(Extracted& extracted) {
  const std::string text = std::exchange(extracted.text, {});
  for (std::size_t i = 0; i < extracted.pages.size(); ++i) {
    const bool last = i + 1 == extracted.pages.size();
    const std::size_t from = extracted.pages[i];
    std::string page = text.substr(from, last ? std::string::npos : extracted.pages[i + 1] - from);
    make_clean(page);
    extracted.pages[i] = extracted.text.size();
    extracted.text += page;
  }
}

Extracted cleaned(Extracted extracted) {
  extracted.pages.empty() ? make_clean(extracted.text) : make_clean_pages(extracted);
  for (auto& [field, value] : extracted.metadata) make_clean(value);
  return extracted;
}

}  // namespace

Extracted read_bytes(const Format& format, std::string_view bytes, std::string_view name,
                     const ReadLimits& limits) {
  if (bytes.size() > limits.file_bytes_max) {
    throw Error(Code::too_large,
                fmt::format("{} bytes; the limit is {}", bytes.size(), limits.file_bytes_max));
  }
  try {
    return cleaned(format.make()->read(bytes, name, limits));
  } catch (const std::bad_alloc&) {
    throw Error(Code::too_large,
                fmt::format("it needs more than {} bytes of memory", limits.memory_bytes_max));
  }
}

}  // namespace hasten
