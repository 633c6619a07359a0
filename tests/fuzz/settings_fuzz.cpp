// What people write of a store, a server or a question: any text is taken, or refused with Error(invalid).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "caches/server_address.hpp"
#include "core/metadata.hpp"
#include "hasten/error.hpp"
#include "hasten/store.hpp"
#include "text/word_query.hpp"

namespace {

template <class Parse>
void takes_or_refuses(hasten::Code refusal, const Parse& parse) {
  try {
    parse();
  } catch (const hasten::Error& error) {
    if (error.code() != refusal) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      takes_or_refuses(Code::invalid, [&] { Stores::parse(text); });
      break;
    case 1:
      takes_or_refuses(Code::invalid, [&] { ServerAddress::parse(text, "redis", 6379); });
      break;
    case 2:
      takes_or_refuses(Code::damaged, [&] {
        const Metadata fields = decode_metadata(text);
        if (decode_metadata(encode_metadata(fields)).size() != fields.size()) std::abort();
      });
      break;
    default: {
      const WordQuery query = WordQuery::parse(text);
      if (!query.has_phrases() && !query.phrases_fit(text)) std::abort();
    }
  }
  return 0;
}
