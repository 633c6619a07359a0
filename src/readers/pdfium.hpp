#pragma once

namespace hasten {

/// The functions of PDFium that are used, bound at run time: nothing is linked, and a program that
/// reads no PDF never loads it. Source of the declarations: fpdfview.h, fpdf_text.h, fpdf_doc.h.
struct Pdfium {
  struct DocumentTag;
  struct PageTag;
  struct TextPageTag;
  using Document = DocumentTag*;
  using Page = PageTag*;
  using TextPage = TextPageTag*;

  void (*init)();                                                                 // FPDF_InitLibrary
  Document (*load)(const void* bytes, unsigned long size, const char* password);  // 64-bit variant
  unsigned long (*last_error)();
  int (*page_count)(Document document);
  /// UTF-16LE with its terminator. @return the bytes it takes; written only when they fit.
  unsigned long (*meta_text)(Document document, const char* tag, void* buffer, unsigned long size);
  void (*close)(Document document);
  Page (*load_page)(Document document, int number);
  void (*close_page)(Page page);
  TextPage (*load_text)(Page page);
  void (*close_text)(TextPage text);
  int (*char_count)(TextPage text);
  /// UTF-16 with its terminator, of `count` characters from `first`. @return units with terminator.
  int (*get_text)(TextPage text, int first, int count, unsigned short* buffer);

  /// FPDF_ERR_*: what last_error() says.
  enum Failure : unsigned long { kUnknown = 1, kFile = 2, kFormat = 3, kPassword = 4, kSecurity = 5 };

  /// The library, loaded at the first call. Not thread-safe, as PDFium is not.
  /// @throws Error(not_found|internal) no library beside ours, or not one with these functions.
  static const Pdfium& instance();
};

}  // namespace hasten
