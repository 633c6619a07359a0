#include <dlfcn.h>
#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "base/resources.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/format_list.hpp"
#include "readers/pdf_lines.hpp"
#include "readers/pdfium.hpp"

namespace hasten {
namespace {

template <class Function>
void bind(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr) throw Error(Code::internal, fmt::format("libpdfium.so has no {}", name));
}

Pdfium load_pdfium() {
  const std::string path = resource("libpdfium.so").string();
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Error(Code::internal, fmt::format("cannot load {}: {}", path, ::dlerror()));
  Pdfium pdfium{};
  bind(library, "FPDF_InitLibrary", pdfium.init);
  bind(library, "FPDF_LoadMemDocument64", pdfium.load);
  bind(library, "FPDF_GetLastError", pdfium.last_error);
  bind(library, "FPDF_GetPageCount", pdfium.page_count);
  bind(library, "FPDF_GetMetaText", pdfium.meta_text);
  bind(library, "FPDF_CloseDocument", pdfium.close);
  bind(library, "FPDF_LoadPage", pdfium.load_page);
  bind(library, "FPDF_ClosePage", pdfium.close_page);
  bind(library, "FPDFText_LoadPage", pdfium.load_text);
  bind(library, "FPDFText_ClosePage", pdfium.close_text);
  bind(library, "FPDFText_CountChars", pdfium.char_count);
  bind(library, "FPDFText_GetText", pdfium.get_text);
  pdfium.init();
  return pdfium;
}

// ---- text

/// Letters as a font draws them rather than as one writes them: ligatures, radicals that look like
/// the character, compatibility ideographs.
constexpr bool is_presentation_form(char16_t c) {
  return (c >= 0xFB00 && c <= 0xFB06) || (c >= 0x2E80 && c <= 0x2FD5) || (c >= 0xF900 && c <= 0xFAFF);
}

void append_plain(icu::UnicodeString& text, char16_t c) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(status);
  icu::UnicodeString plain;
  if (U_SUCCESS(status) && nfkc->getDecomposition(c, plain)) {
    text.append(nfkc->normalize(plain, status));
  } else {
    text.append(c);
  }
}

bool is_hyphen_mark(char16_t c) { return c == 0xFFFE || c == 0xFFFF || c == 0x02 || c == 0xAD; }

/// PDFium ends lines with "\r\n" and marks a word that is hyphenated there with U+FFFE.
std::string to_text(std::u16string_view units) {
  icu::UnicodeString text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const char16_t c = units[i];
    if (is_hyphen_mark(c)) {
      const std::size_t word = units.find_first_not_of(u"\r\n", i + 1);
      i = (word == std::u16string_view::npos ? units.size() : word) - 1;
    } else if (is_presentation_form(c)) {
      append_plain(text, c);
    } else if (c >= 0x20 || c == '\n' || c == '\t') {
      text.append(c);
    }
  }
  std::string bytes;
  text.toUTF8String(bytes);
  return bytes;
}

// ---- the document

class PdfDocument {
 public:
  PdfDocument(std::string_view bytes)
      : document_(pdfium_.load(bytes.data(), bytes.size(), nullptr), pdfium_.close) {
    if (document_) return;
    const unsigned long failure = pdfium_.last_error();
    if (failure == Pdfium::kPassword || failure == Pdfium::kSecurity) {
      throw Error(Code::encrypted, "the PDF needs a password; save it without one");
    }
    throw Error(Code::corrupt,
                "not a PDF that can be read: neither its cross-references nor its "
                "objects are found");
  }

  int pages() const { return pdfium_.page_count(document_.get()); }

  /// Nothing for a page that cannot be loaded.
  std::optional<std::string> page_text(int number) const {
    const std::unique_ptr<Pdfium::PageTag, void (*)(Pdfium::Page)> page(
        pdfium_.load_page(document_.get(), number), pdfium_.close_page);
    if (!page) return std::nullopt;
    const std::unique_ptr<Pdfium::TextPageTag, void (*)(Pdfium::TextPage)> text(pdfium_.load_text(page.get()),
                                                                                pdfium_.close_text);
    const int count = text ? pdfium_.char_count(text.get()) : 0;
    if (count <= 0) return std::string();
    std::vector<unsigned short> units(static_cast<std::size_t>(count) + 1);
    const int written = pdfium_.get_text(text.get(), 0, count, units.data());
    const std::size_t size = written > 0 ? static_cast<std::size_t>(written) - 1 : 0;
    return join_lines(
        to_text(std::u16string(units.begin(), units.begin() + static_cast<std::ptrdiff_t>(size))));
  }

  std::string meta(const char* tag) const {
    std::u16string units(pdfium_.meta_text(document_.get(), tag, nullptr, 0) / 2, u'\0');
    pdfium_.meta_text(document_.get(), tag, units.data(), units.size() * 2);
    while (!units.empty() && units.back() == u'\0') units.pop_back();
    return std::string(utf8::trim(to_text(units)));
  }

 private:
  const Pdfium& pdfium_ = Pdfium::instance();
  std::unique_ptr<Pdfium::DocumentTag, void (*)(Pdfium::Document)> document_;
};

/// "D:20240131120000+01'00'" (ISO 32000-1, 7.9.4).
std::optional<Date> parse_pdf_date(std::string_view text) {
  if (text.starts_with("D:")) text.remove_prefix(2);
  if (text.size() < 8) return std::nullopt;
  return Date::parse(fmt::format("{}-{}-{}", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2)));
}

Metadata read_metadata(const PdfDocument& document) {
  Metadata metadata;
  constexpr std::array<std::pair<const char*, const char*>, 4> kTexts{
      {{"Title", "title"}, {"Author", "author"}, {"Subject", "subject"}, {"Keywords", "keywords"}}};
  for (const auto& [tag, field] : kTexts) {
    if (std::string text = document.meta(tag); !text.empty()) metadata.emplace(field, std::move(text));
  }
  constexpr std::array<std::pair<const char*, const char*>, 2> kDates{
      {{"CreationDate", "created"}, {"ModDate", "modified"}}};
  for (const auto& [tag, field] : kDates) {
    if (const auto date = parse_pdf_date(document.meta(tag))) metadata.emplace(field, *date);
  }
  return metadata;
}

void append_page(Extracted& extracted, const std::string& text, std::uint64_t bytes_max) {
  if (!extracted.text.empty()) extracted.text += '\n';
  extracted.pages.push_back(extracted.text.size());
  extracted.text += text;
  if (extracted.text.size() > bytes_max) {
    throw Error(Code::too_large, fmt::format("the text has more than {} bytes", bytes_max));
  }
}

class PdfReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    if (bytes.empty()) throw Error(Code::empty, "the file has no bytes");
    const PdfDocument document(bytes);
    const int pages = document.pages();
    Extracted extracted{{}, read_metadata(document), "pdf", {}};
    int broken = 0;
    for (int page = 0; page < pages; ++page) {
      const auto text = document.page_text(page);
      broken += !text;
      append_page(extracted, text.value_or(std::string()), limits.text_bytes_max);
    }
    if (pages == 0 || broken == pages) throw Error(Code::corrupt, "the PDF has no page that can be read");
    if (utf8::trim(extracted.text).empty()) {
      throw Error(Code::empty, fmt::format("no text on its {} pages: they may be scanned pictures, "
                                           "which need recognising first",
                                           pages));
    }
    return extracted;
  }
};

}  // namespace

const Pdfium& Pdfium::instance() {
  static const Pdfium pdfium = load_pdfium();  // loaded late: most runs read no PDF
  return pdfium;
}

std::unique_ptr<Reader> make_pdf_reader() { return std::make_unique<PdfReader>(); }

}  // namespace hasten
