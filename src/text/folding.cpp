#include "text/folding.hpp"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>

#include <array>
#include <new>

#include "base/utf8.hpp"

namespace hasten {
namespace {

constexpr std::array<CharacterClass, 128> make_ascii_classes() {
  std::array<CharacterClass, 128> classes{};
  for (char32_t c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    classes[c] = letter                 ? CharacterClass::letter
                 : c >= '0' && c <= '9' ? CharacterClass::digit
                                        : CharacterClass::other;
  }
  return classes;
}

constexpr auto kAsciiClasses = make_ascii_classes();

/// Scripts whose words ICU's line breaking needs a dictionary for (Thai, Lao, Khmer, Burmese, ...).
bool is_unspaced(char32_t c) {
  if (utf8::is_kana(c) || utf8::is_hangul(c)) return true;
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT;
}

CharacterClass unicode_class(char32_t c) {
  if (utf8::is_han(c)) return CharacterClass::han;
  if (utf8::is_space(c)) return CharacterClass::other;  // the zero-width one too
  if (is_unspaced(c)) return CharacterClass::unspaced;
  const auto mask = U_GET_GC_MASK(static_cast<UChar32>(c));
  if (mask & U_GC_L_MASK) return CharacterClass::letter;
  if (mask & U_GC_N_MASK) return CharacterClass::digit;
  if (mask & (U_GC_M_MASK | U_GC_CF_MASK)) return CharacterClass::mark;
  return CharacterClass::other;
}

/// Letters that have no decomposition; case is folded before.
std::u16string_view plain_letters(char32_t c) {
  switch (c) {
    case U'ø':
      return u"o";
    case U'đ':
    case U'ð':
      return u"d";
    case U'ł':
      return u"l";
    case U'æ':
      return u"ae";
    case U'œ':
      return u"oe";
    case U'þ':
      return u"th";
    case U'ı':
      return u"i";
    default:
      return {};
  }
}

bool loses_accents(char32_t c) {
  UErrorCode failed = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &failed);
  return script == USCRIPT_LATIN || script == USCRIPT_GREEK;
}

/// @param decomposed  in NFD: accents follow their letters.
icu::UnicodeString without_accents(const icu::UnicodeString& decomposed) {
  icu::UnicodeString plain;
  bool accents_go = false;
  for (int32_t i = 0; i < decomposed.length(); i = decomposed.moveIndex32(i, 1)) {
    const UChar32 c = decomposed.char32At(i);
    if (u_charType(c) == U_NON_SPACING_MARK) {
      if (!accents_go) plain.append(c);
      continue;
    }
    accents_go = loses_accents(static_cast<char32_t>(c));
    const auto letters = plain_letters(static_cast<char32_t>(c));
    if (letters.empty()) {
      plain.append(c);
    } else {
      plain.append(letters.data(), static_cast<int32_t>(letters.size()));
    }
  }
  return plain;
}

/// ICU's data is part of the library; it fails only for want of memory.
void check(UErrorCode failed) {
  if (U_FAILURE(failed)) throw std::bad_alloc();
}

}  // namespace

CharacterClass class_of(char32_t c) noexcept { return c < 128 ? kAsciiClasses[c] : unicode_class(c); }

std::string fold(std::string_view word) {
  UErrorCode failed = U_ZERO_ERROR;
  const auto* casefold = icu::Normalizer2::getNFKCCasefoldInstance(failed);
  const auto* nfd = icu::Normalizer2::getNFDInstance(failed);
  const auto* nfc = icu::Normalizer2::getNFCInstance(failed);
  check(failed);
  const auto text = icu::UnicodeString::fromUTF8({word.data(), static_cast<int32_t>(word.size())});
  const auto decomposed = nfd->normalize(casefold->normalize(text, failed), failed);
  const auto folded = nfc->normalize(without_accents(decomposed), failed);
  check(failed);
  std::string result;
  folded.toUTF8String(result);
  return result;
}

}  // namespace hasten
