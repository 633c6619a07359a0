#include <algorithm>
#include <array>
#include <cctype>

#include "base/utf8.hpp"
#include "readers/format_list.hpp"
#include "readers/readers.hpp"

namespace hasten {
namespace {

using namespace std::string_view_literals;

constexpr std::array kTxt{".txt"sv, ".text"sv, ".log"sv};
constexpr std::array kMd{".md"sv, ".markdown"sv, ".mdown"sv, ".mkd"sv};
constexpr std::array kHtml{".html"sv, ".htm"sv, ".xhtml"sv};
constexpr std::array kPdf{".pdf"sv};
constexpr std::array kDocx{".docx"sv, ".docm"sv, ".dotx"sv};
constexpr std::array kCsv{".csv"sv, ".tsv"sv};
constexpr std::array kJson{".json"sv};
constexpr std::array kJsonl{".jsonl"sv, ".ndjson"sv};

const std::array<Format, 8> kFormats{{
    {"txt", kTxt, false, make_txt_reader},
    {"md", kMd, false, make_md_reader},
    {"html", kHtml, true, make_html_reader},
    {"pdf", kPdf, true, make_pdf_reader},
    {"docx", kDocx, true, make_docx_reader},
    {"csv", kCsv, false, make_csv_reader},
    {"json", kJson, false, make_json_reader},
    {"jsonl", kJsonl, false, make_jsonl_reader},
}};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

const Format* format_named(std::string_view name) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const Format& format) { return format.name == name; });
  return found == kFormats.end() ? nullptr : &*found;
}

const Format* format_with_suffix(std::string_view suffix) {
  for (const Format& format : kFormats) {
    if (std::find(format.suffixes.begin(), format.suffixes.end(), suffix) != format.suffixes.end()) {
      return &format;
    }
  }
  return nullptr;
}

bool looks_like_html(std::string_view head) {
  const std::string start = lower_case(utf8::trim(head.substr(0, 256)));
  return start.starts_with("<!doctype html") || start.starts_with("<html");
}

/// Text as far as the head tells; a character may be cut at its end.
bool looks_like_text(std::string_view head) {
  if (head.empty()) return true;
  const std::string_view whole = head.substr(0, utf8::floor_border(head, head.size() - 1));
  return whole.find('\0') == std::string_view::npos && utf8::valid(whole);
}

const Format* format_of_content(std::string_view head) {
  if (head.starts_with("%PDF-")) return format_named("pdf");
  if (head.starts_with("PK\x03\x04")) {
    return head.find("word/") != std::string_view::npos ? format_named("docx") : nullptr;
  }
  if (looks_like_html(head)) return format_named("html");
  return looks_like_text(head) ? format_named("txt") : nullptr;
}

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format* format_of(const std::filesystem::path& name, std::string_view head) {
  const std::string suffix = lower_case(name.extension().string());
  return suffix.empty() ? format_of_content(head) : format_with_suffix(suffix);
}

}  // namespace hasten
