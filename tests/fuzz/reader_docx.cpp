// The bytes become the parts of a package: fuzzing ZIP's checksums would find little else.
#include "../readers/make_zip.hpp"
#include "reading.hpp"

namespace {

std::string package_of(std::string_view part) {
  const std::string bytes(part);
  const std::string relations =
      "<Relationships><Relationship Type='x/styles' Target='styles.xml'/><Relationship "
      "Type='x/numbering' Target='numbering.xml'/><Relationship Type='x/footnotes' "
      "Target='footnotes.xml'/></Relationships>";
  return hasten::make_zip({{"word/document.xml", bytes},
                           {"word/styles.xml", bytes},
                           {"word/numbering.xml", bytes},
                           {"word/footnotes.xml", bytes},
                           {"word/_rels/document.xml.rels", relations}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  hasten::fuzz_format("docx", package_of(bytes));
  return 0;
}
