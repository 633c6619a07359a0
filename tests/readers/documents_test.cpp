// The documents of the shared data, against what other programs find in them.
#include <gtest/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reading.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

/// Without white space, in compatibility form: line breaks and ligatures are not compared.
std::string normalised(const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeString nfkc =
      icu::Normalizer2::getNFKCInstance(status)->normalize(icu::UnicodeString::fromUTF8(text), status);
  icu::UnicodeString bare;
  for (std::int32_t i = 0; i < nfkc.length(); i = nfkc.moveIndex32(i, 1)) {
    const UChar32 c = nfkc.char32At(i);
    if (!u_isUWhiteSpace(c) && c != 0xAD && c != 0x200B) bare.append(c);
  }
  std::string bytes;
  bare.toUTF8String(bytes);
  return bytes;
}

std::string outcome(const FileReader& reader, const fs::path& file, std::string& text) {
  try {
    text = reader.read(file).text;
    return "text";
  } catch (const Error& error) {
    return std::string(to_string(error.code()));
  }
}

TEST(Documents, ReadAsExpected) {
  const fs::path folder = fs::path(HASTEN_SHARED_DATA) / "documents";
  if (!fs::exists(folder / "expected.json")) GTEST_SKIP() << "the shared data is not here: " << folder;
  const auto expected = nlohmann::json::parse(std::ifstream(folder / "expected.json"));
  const FileReader reader{{}};
  for (const auto& [name, wanted] : expected.items()) {
    const std::string kind = wanted["outcome"];
    std::string text;
    const std::string got = outcome(reader, folder / name, text);
    if (format_of(name, {}) == nullptr) {
      EXPECT_EQ(got, "unsupported") << name;
      continue;
    }
    if (kind == "error") {
      EXPECT_EQ(got, wanted["error"]) << name;
    } else if (kind != "text_or_error") {
      EXPECT_EQ(got, "text") << name;
    }
    const std::string bare = normalised(text);
    if (kind == "empty") {
      EXPECT_EQ(bare, "") << name;
    }
    if (got != "text") continue;
    for (const auto& part : wanted["contains"]) {
      EXPECT_NE(bare.find(normalised(part)), std::string::npos) << name << ": " << part;
    }
    for (const auto& part : wanted.value("must_not", nlohmann::json::array())) {
      EXPECT_EQ(text.find(part.get<std::string>()), std::string::npos) << name << ": " << part;
    }
  }
}

}  // namespace
}  // namespace hasten
