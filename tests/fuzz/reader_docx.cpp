// The bytes become the main part of a package: fuzzing ZIP's checksums would find little else.
#include <zip.h>

#include <memory>
#include <string>

#include "reading.hpp"

namespace {

std::string package_of(std::string_view document) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t* archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  // numbering and styles come from the same bytes: they are read by name of what they hold.
  for (const char* part :
       {"word/document.xml", "word/numbering.xml", "word/styles.xml", "word/footnotes.xml"}) {
    zip_file_add(archive, part, zip_source_buffer(archive, document.data(), document.size(), 0), 0);
  }
  constexpr std::string_view kRelations =
      "<Relationships><Relationship Type='x/styles' Target='styles.xml'/><Relationship "
      "Type='x/numbering' Target='numbering.xml'/><Relationship Type='x/footnotes' "
      "Target='footnotes.xml'/></Relationships>";
  zip_file_add(archive, "word/_rels/document.xml.rels",
               zip_source_buffer(archive, kRelations.data(), kRelations.size(), 0), 0);
  zip_close(archive);
  zip_stat_t stat;
  zip_source_stat(target, &stat);
  std::string bytes(stat.size, '\0');
  zip_source_open(target);
  zip_source_read(target, bytes.data(), bytes.size());
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  hasten::fuzz_format("docx", package_of(bytes));
  return 0;
}
