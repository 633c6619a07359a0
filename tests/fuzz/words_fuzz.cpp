// Words, sentences and languages of any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.hpp"
#include "text/language.hpp"
#include "text/sentences.hpp"
#include "text/words.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Term& term : terms(text)) {
    if (term.text.empty() || term.from >= term.to || term.to > size) std::abort();
    if (!utf8::valid(term.text)) std::abort();
  }
  std::uint64_t before = 0;
  for (const Span sentence : sentences(text)) {
    if (sentence.from < before || sentence.from >= sentence.to || sentence.to > size) std::abort();
    before = sentence.to;
  }
  if (language_of(text).empty()) std::abort();
  return 0;
}
