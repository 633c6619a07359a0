#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hasten::utf8 {
namespace {

struct Case {
  std::string bytes;
  bool is_valid;
  std::size_t characters;
};

TEST(Utf8, ValidAndLength) {
  const std::vector<Case> cases{
      {"", true, 0},
      {"abc", true, 3},
      {"北京", true, 2},
      {"\xF0\x9F\x98\x80", true, 1},   // an emoji
      {"\xC0\xAF", false, 1},          // overlong '/'
      {"\xE0\x80\xAF", false, 1},      // overlong, three bytes
      {"\xED\xA0\x80", false, 1},      // a surrogate
      {"\xF4\x90\x80\x80", false, 1},  // beyond U+10FFFF
      {"\xE5\x8C", false, 1},          // cut short
      {"\x80", false, 0},              // a lone continuation
      {std::string("a\0b", 3), true, 3},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(valid(c.bytes), c.is_valid) << c.bytes;
    EXPECT_EQ(length(c.bytes), c.characters) << c.bytes;
  }
}

TEST(Utf8, EveryCodePointSurvivesTheRoundTrip) {
  for (char32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "x";
    append(text, c);
    const Decoded forward = decode(text, 1);
    EXPECT_EQ(forward.code_point, c);
    EXPECT_EQ(forward.size, text.size() - 1);
    const Decoded back = decode_before(text, text.size());
    EXPECT_EQ(back.code_point, c);
    EXPECT_EQ(back.size, forward.size);
  }
}

TEST(Utf8, SanitiseGivesValidTextAndKeepsValidText) {
  EXPECT_EQ(sanitise("北\xE5\x8C"
                     "A"),
            "北\xEF\xBF\xBD\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(sanitise(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(sanitise("plain 文"), "plain 文");
  std::string noise;
  for (int i = 0; i < 4096; ++i) noise += static_cast<char>((i * 2654435761U) >> 13);
  EXPECT_TRUE(valid(sanitise(noise)));
}

TEST(Utf8, FloorBorderNeverCutsACharacter) {
  const std::string text = "a北\xF0\x9F\x98\x80z";
  const std::vector<std::size_t> expected{0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
  for (std::size_t at = 0; at < expected.size(); ++at) EXPECT_EQ(floor_border(text, at), expected[at]);
}

TEST(Utf8, TrimTakesSpacesOfAllScripts) {
  EXPECT_EQ(trim(" \t\r\n\u3000北京 \u00A0"), "北京");
  EXPECT_EQ(trim(" \u3000 "), "");
}

}  // namespace
}  // namespace hasten::utf8
