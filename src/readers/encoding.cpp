#include "readers/encoding.hpp"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSampleBytes = 64 << 10;  // as much of a file as is looked at

constexpr unsigned char byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

// ---- byte order marks

struct Mark {
  std::string_view bytes;
  const char* encoding;
};

constexpr std::array<Mark, 6> kMarks{{
    // UTF-32LE before UTF-16LE, whose mark begins it
    {"\xEF\xBB\xBF"sv, "UTF-8"},
    {"\xFF\xFE\0\0"sv, "UTF-32LE"},
    {"\0\0\xFE\xFF"sv, "UTF-32BE"},
    {"\xFF\xFE"sv, "UTF-16LE"},
    {"\xFE\xFF"sv, "UTF-16BE"},
    {"\x84\x31\x95\x33"sv, "GB18030"},
}};

const char* encoding_of_mark(std::string_view bytes) {
  for (const Mark& mark : kMarks) {
    if (bytes.starts_with(mark.bytes)) return mark.encoding;
  }
  return nullptr;
}

// ---- UTF-16 without a mark, and UTF-8

struct Utf8Count {
  std::size_t sequences = 0;  ///< valid ones of two bytes and more
  std::size_t invalid = 0;    ///< bytes that belong to no valid sequence
};

Utf8Count count_utf8(std::string_view bytes) {
  Utf8Count count;
  for (std::size_t at = 0; at < bytes.size();) {
    const utf8::Decoded decoded = utf8::decode(bytes, at);
    if (byte_at(bytes, at) >= 0x80) ++(decoded.size > 1 ? count.sequences : count.invalid);
    at += decoded.size;
  }
  return count;
}

/// Whether nearly all of the sample is characters that texts have, read as UTF-16. In other data
/// the units that are private, unassigned or half a pair are one in seven.
bool plausible_utf16(std::string_view sample, bool little) {
  std::size_t strange = 0, units = 0;
  char16_t high = 0;  // the first half of a pair, waiting for its second
  for (std::size_t at = 0; at + 1 < sample.size(); at += 2, ++units) {
    const std::uint8_t first = byte_at(sample, at), second = byte_at(sample, at + 1);
    const auto unit = static_cast<char16_t>(little ? first | second << 8 : first << 8 | second);
    if (U16_IS_TRAIL(unit) != (high != 0)) ++strange;
    high = U16_IS_LEAD(unit) ? unit : 0;
    const bool control = unit < 0x20 && unit != '\t' && unit != '\n' && unit != '\r';
    if (!U16_IS_SURROGATE(unit) &&
        (control || !u_isdefined(unit) || u_charType(unit) == U_PRIVATE_USE_CHAR)) {
      ++strange;
    }
  }
  return strange * 50 <= units;
}

/// In UTF-16 the spaces, line ends and digits of any language have a NUL, always on the same side.
const char* encoding_of_nuls(std::string_view sample, bool valid_utf8) {
  std::array<std::size_t, 2> nuls{};
  for (std::size_t at = 0; at < sample.size(); ++at) nuls[at % 2] += sample[at] == '\0';
  const bool little = nuls[1] > nuls[0];
  const auto most = static_cast<double>(nuls[little]), least = static_cast<double>(nuls[!little]);
  const auto characters = static_cast<double>(sample.size() / 2);
  // A text that is valid UTF-8 too is ASCII, or Latin at least, in UTF-16: then the NULs are many.
  const double share_min = valid_utf8 ? 0.4 : 0.005;
  if (most == 0 || most < share_min * characters || least > most / 20) return nullptr;
  if (!plausible_utf16(sample, little)) return nullptr;
  return little ? "UTF-16LE" : "UTF-16BE";
}

// ---- double-byte encodings

struct Rows {
  std::uint8_t first, last;
};

/// How one encoding of Chinese, Japanese or Korean places its characters: a lead and a trail byte.
/// The common characters stand together, in rows told by the lead byte.
struct DoubleByte {
  const char* name;
  bool (*is_lead)(std::uint8_t byte);
  bool (*is_trail)(std::uint8_t byte);
  std::array<Rows, 2> common;       ///< rows of common characters
  std::uint8_t common_trail_first;  ///< and where they begin in a row
  Rows punctuation;
  std::size_t pairs_min;  ///< fewer tell nothing: its rows lie within another's
};

bool is_euc(std::uint8_t byte) { return byte >= 0xA1 && byte <= 0xFE; }
bool is_gbk_lead(std::uint8_t byte) { return byte >= 0x81 && byte <= 0xFE; }
bool is_gbk_trail(std::uint8_t byte) { return byte >= 0x40 && byte != 0x7F && byte != 0xFF; }
bool is_big5_trail(std::uint8_t byte) { return (byte >= 0x40 && byte <= 0x7E) || is_euc(byte); }
bool is_sjis_lead(std::uint8_t byte) {
  return (byte >= 0x81 && byte <= 0x9F) || (byte >= 0xE0 && byte <= 0xFC);
}
bool is_sjis_trail(std::uint8_t byte) { return byte >= 0x40 && byte != 0x7F && byte <= 0xFC; }

// Sources: GB 2312 (level 1 in rows 16-55), Big5 (level 1 in A4-C6), JIS X 0208 (kana in rows 4-5,
// level 1 in rows 16-47), KS X 1001 (syllables in rows 16-40). The narrower rows stand first: an
// equal share is more telling there.
constexpr std::array<DoubleByte, 5> kDoubleByte{{
    {"EUC-KR", is_euc, is_euc, {{{0xB0, 0xC8}, {0xB0, 0xC8}}}, 0xA1, {0xA1, 0xA3}, 24},
    {"Shift_JIS", is_sjis_lead, is_sjis_trail, {{{0x82, 0x83}, {0x88, 0x97}}}, 0x40, {0x81, 0x81}, 2},
    {"GB18030", is_gbk_lead, is_gbk_trail, {{{0xB0, 0xD7}, {0xB0, 0xD7}}}, 0xA1, {0xA1, 0xA3}, 2},
    {"EUC-JP", is_euc, is_euc, {{{0xA4, 0xA5}, {0xB0, 0xCF}}}, 0xA1, {0xA1, 0xA3}, 2},
    {"Big5", is_euc, is_big5_trail, {{{0xA4, 0xC6}, {0xA4, 0xC6}}}, 0x40, {0xA1, 0xA3}, 2},
}};
constexpr double kCommonShareMin = 0.85;

bool within(const Rows& rows, std::uint8_t lead) { return lead >= rows.first && lead <= rows.last; }

/// The share of the double-byte characters that are common ones of `encoding`; bytes that make no
/// character in it count against it. 0 when there are too few to tell.
double common_share(std::string_view sample, const DoubleByte& encoding) {
  std::size_t common = 0, punctuation = 0, others = 0;
  for (std::size_t at = 0; at < sample.size(); ++at) {
    const std::uint8_t lead = byte_at(sample, at);
    if (lead < 0x80) continue;
    const std::uint8_t trail = at + 1 < sample.size() ? byte_at(sample, at + 1) : 0;
    if (!encoding.is_lead(lead) || !encoding.is_trail(trail)) {
      others += at + 1 < sample.size();  // the sample may end within a character
      continue;
    }
    ++at;
    const bool in_common_row = within(encoding.common[0], lead) || within(encoding.common[1], lead);
    if (in_common_row && trail >= encoding.common_trail_first) {
      ++common;
    } else {
      ++(within(encoding.punctuation, lead) ? punctuation : others);
    }
  }
  if (common < encoding.pairs_min) return 0;
  return static_cast<double>(common + punctuation) / static_cast<double>(common + punctuation + others);
}

const char* double_byte_encoding(std::string_view sample) {
  const char* best = nullptr;
  double best_share = kCommonShareMin;
  for (const DoubleByte& encoding : kDoubleByte) {
    const double share = common_share(sample, encoding);
    if (share > best_share) {
      best = encoding.name;
      best_share = share;
    }
  }
  return best;
}

// ---- ICU

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

struct CloseDetector {
  void operator()(UCharsetDetector* detector) const { ucsdet_close(detector); }
};

/// The names that files use for the subset, as the superset that they are really written in.
/// Source: the labels of the WHATWG Encoding standard.
std::string_view superset(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSupersets{{
      {"ISO-8859-1", "windows-1252"},
      {"US-ASCII", "windows-1252"},
      {"ISO-8859-9", "windows-1254"},
      {"GB2312", "GB18030"},
      {"GBK", "GB18030"},
      {"windows-936-2000", "GB18030"},
      {"ibm-1383_P110-1999", "GB18030"},
      {"ibm-5478_P100-1995", "GB18030"},
      {"KS_C_5601-1987", "windows-949"},
  }};
  for (const auto& [subset, whole] : kSupersets) {
    if (ucnv_compareNames(std::string(name).c_str(), subset.data()) == 0) return whole;
  }
  return name;
}

Converter open_converter(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  Converter converter(ucnv_open(name.c_str(), &status));
  return U_SUCCESS(status) ? std::move(converter) : nullptr;
}

/// ICU's canonical name for a declared one, widened to its superset; empty when it knows none.
/// An encoding of whole words cannot have carried the declaration that was just read as ASCII.
std::string known_encoding(std::string_view declared) {
  const Converter converter = open_converter(std::string(superset(declared)));
  if (!converter || ucnv_getMinCharSize(converter.get()) > 1) return {};
  UErrorCode status = U_ZERO_ERROR;
  const char* name = ucnv_getName(converter.get(), &status);
  return U_SUCCESS(status) ? std::string(superset(name)) : std::string();
}

std::string encoding_by_icu(std::string_view sample) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, CloseDetector> detector(ucsdet_open(&status));
  ucsdet_setText(detector.get(), sample.data(), static_cast<std::int32_t>(sample.size()), &status);
  const UCharsetMatch* match = ucsdet_detect(detector.get(), &status);
  if (U_FAILURE(status) || match == nullptr) return "windows-1252";
  const char* name = ucsdet_getName(match, &status);
  const std::int32_t confidence = ucsdet_getConfidence(match, &status);
  constexpr std::int32_t kConfidenceMin = 20;  // of 100: below, ICU guesses among many
  if (U_FAILURE(status) || confidence < kConfidenceMin) return "windows-1252";
  const std::string_view whole = superset(name);
  // What ICU calls UTF here was found invalid as such.
  return whole.starts_with("UTF") ? "windows-1252" : std::string(whole);
}

/// Characters that no text has, in the first kSampleBytes of it.
std::size_t count_replaced(const std::string& text) {
  std::size_t replaced = 0;
  for (std::size_t at = 0; (at = text.find("\xEF\xBF\xBD", at)) != std::string::npos; ++at) ++replaced;
  return replaced;
}

/// Whether the sample reads without errors, but for a character cut at its end.
bool reads_as(std::string_view sample, const std::string& encoding) {
  return count_replaced(decode(sample, encoding, UINT64_MAX)) <= 1;
}

/// Control characters that no text has, beyond what a few stray ones explain.
bool is_binary(std::string_view text) {
  const std::string_view sample = text.substr(0, kSampleBytes);
  const auto controls = std::count_if(sample.begin(), sample.end(), [](unsigned char c) {
    return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\x1B' && c != '\b';
  });
  return static_cast<std::size_t>(controls) > sample.size() / 20 + 8;
}

void check_size(std::uint64_t bytes, std::uint64_t bytes_max) {
  if (bytes > bytes_max) {
    throw Error(Code::too_large, fmt::format("the text has more than {} bytes", bytes_max));
  }
}

}  // namespace

std::string detect_encoding(std::string_view bytes, std::string_view declared) {
  if (const char* marked = encoding_of_mark(bytes)) return marked;
  const std::string_view sample = bytes.substr(0, kSampleBytes);
  const Utf8Count count = count_utf8(bytes);
  if (const char* wide = encoding_of_nuls(sample, count.invalid == 0)) return wide;
  // In other encodings a valid sequence of UTF-8 is a rare accident; in damaged or cut UTF-8 valid
  // ones abound.
  if (count.invalid == 0 || count.sequences > count.invalid) return "UTF-8";
  if (const std::string known = known_encoding(declared); !known.empty() && reads_as(sample, known)) {
    return known;
  }
  if (const char* found = double_byte_encoding(sample)) return found;
  return encoding_by_icu(sample);
}

std::string decode(std::string_view bytes, const std::string& encoding, std::uint64_t bytes_max) {
  for (const Mark& mark : kMarks) {
    if (encoding == mark.encoding && bytes.starts_with(mark.bytes)) bytes.remove_prefix(mark.bytes.size());
  }
  if (encoding == "UTF-8") {
    check_size(bytes.size(), bytes_max);
    const bool clean = bytes.find('\0') == std::string_view::npos && utf8::valid(bytes);
    return clean ? std::string(bytes) : utf8::sanitise(bytes);
  }
  const Converter from = open_converter(encoding), to = open_converter("UTF-8");
  if (!from) throw Error(Code::corrupt, fmt::format("no text encoding is called '{}'", encoding));
  std::string text;
  std::vector<char> chunk(kSampleBytes);
  std::array<UChar, 4096> pivot;
  UChar *pivot_read = pivot.data(), *pivot_write = pivot.data();
  const char* source = bytes.data();
  UErrorCode status = U_ZERO_ERROR;
  do {
    status = U_ZERO_ERROR;
    char* target = chunk.data();
    ucnv_convertEx(to.get(), from.get(), &target, chunk.data() + chunk.size(), &source,
                   bytes.data() + bytes.size(), pivot.data(), &pivot_read, &pivot_write,
                   pivot.data() + pivot.size(), text.empty(), true, &status);
    text.append(chunk.data(), target);
    check_size(text.size(), bytes_max);
  } while (status == U_BUFFER_OVERFLOW_ERROR);
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

std::string normalise_line_ends(std::string text) {
  const std::size_t first = text.find('\r');
  if (first == std::string::npos) return text;
  std::size_t to = first;
  for (std::size_t from = first; from < text.size(); ++from) {
    const bool is_return = text[from] == '\r';
    text[to++] = is_return ? '\n' : text[from];
    if (is_return && from + 1 < text.size() && text[from + 1] == '\n') ++from;
  }
  text.resize(to);
  return text;
}

std::string decode_text(std::string_view bytes, std::uint64_t bytes_max) {
  const std::string encoding = detect_encoding(bytes);
  if (!encoding.starts_with("UTF-16") && !encoding.starts_with("UTF-32") && is_binary(bytes)) {
    throw Error(Code::corrupt, "binary content where text was to be");
  }
  return normalise_line_ends(decode(bytes, encoding, bytes_max));
}

}  // namespace hasten
