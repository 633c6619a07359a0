// Filters: any text is parsed or refused with Error(invalid); what is parsed can be evaluated.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hasten/error.hpp"
#include "hasten/filter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hasten;
  static const Metadata fields{{"a", std::int64_t{1}},
                               {"b", 0.5},
                               {"c", std::string("x")},
                               {"d", Date{20000}},
                               {"e", std::vector<std::string>{"x", "y"}},
                               {"f", true}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Filter filter = Filter::parse(text);
    const bool matches = filter.matches(fields);
    // An expression within parentheses means the same.
    if (!filter.empty() && size < 1000) {
      const std::string negated = "not (" + std::string(text) + ")";
      if (Filter::parse(negated).matches(fields) == matches) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() != Code::invalid) std::abort();
  }
  return 0;
}
