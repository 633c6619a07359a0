#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace hasten {

/// A PDF with a page for each of these content streams and a font /F, and this /Info.
inline std::string make_pdf(const std::vector<std::string>& pages, const std::string& info = "") {
  std::vector<std::string> objects{"<</Type/Catalog/Pages 2 0 R>>", "", "<<" + info + ">>",
                                   "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"};
  std::string kids;
  for (const std::string& content : pages) {
    kids += fmt::format("{} 0 R ", objects.size() + 1);
    objects.push_back(
        fmt::format("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 4 0 "
                    "R>>>>/Contents {} 0 R>>",
                    objects.size() + 2));
    objects.push_back(fmt::format("<</Length {}>>stream\n{}\nendstream", content.size(), content));
  }
  objects[1] = fmt::format("<</Type/Pages/Count {}/Kids[{}]>>", pages.size(), kids);
  std::string pdf = "%PDF-1.4\n", table;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    table += fmt::format("{:010} 00000 n \n", pdf.size());
    pdf += fmt::format("{} 0 obj{}endobj\n", i + 1, objects[i]);
  }
  const std::size_t start = pdf.size();
  return pdf + fmt::format(
                   "xref\n0 {}\n0000000000 65535 f \n{}trailer<</Size {}/Root 1 0 R/Info 3 0 R>>\n"
                   "startxref\n{}\n%%EOF\n",
                   objects.size() + 1, table, objects.size() + 1, start);
}

/// The content of a page with these lines.
inline std::string page_lines(const std::vector<std::string>& lines) {
  std::string content = "BT /F 12 Tf 50 700 Td 14 TL";
  for (const std::string& line : lines) content += fmt::format(" ({}) Tj T*", line);
  return content + " ET";
}

}  // namespace hasten
