#include "readers/encoding.hpp"
#include "readers/format_list.hpp"

namespace hasten {
namespace {

class TxtReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    return {decode_text(bytes, limits.text_bytes_max), {}, "txt", {}};
  }
};

}  // namespace

std::unique_ptr<Reader> make_txt_reader() { return std::make_unique<TxtReader>(); }

}  // namespace hasten
