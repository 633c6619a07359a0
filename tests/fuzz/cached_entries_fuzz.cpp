// What a cache server gives back: any bytes are an entry or none; an entry is kept as it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "caches/memcached_entry.hpp"
#include "engine/ask/conversation.hpp"
#include "engine/caching/answer_cache.hpp"
#include "engine/caching/cached_list.hpp"
#include "engine/caching/result_cache.hpp"

namespace {

/// Whether what `decode` makes of the bytes is kept and read again.
template <class Decode>
void survives(std::string_view bytes, const Decode& decode) {
  const auto entry = decode(bytes);
  if (entry && !decode(hasten::encode(*entry))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::vector<Passage> passages(2, Passage{.text = "Kakas live in New Zealand. They eat seeds."});
  switch (data[0] % 6) {
    case 0:
      survives(bytes, decode_list);
      break;
    case 1:
      survives(bytes, decode_found);
      break;
    case 2:
      survives(bytes, decode_written);
      break;
    case 3:
      if (const auto quotes = decode_quotes(bytes, passages)) {
        for (const Quote& quote : *quotes) {
          if (quote.span.to > passages.at(quote.passage).text.size()) std::abort();
        }
      }
      break;
    case 4:
      if (const auto turns = decode_turns(bytes); !turns.empty() && decode_turns(encode(turns)).empty())
        std::abort();
      break;
    default:
      if (const auto head = MemcachedHead::parse(std::string(bytes))) {
        if (head->value("a key", {}) && head->chunks() != 0) std::abort();
      }
  }
  return 0;
}
