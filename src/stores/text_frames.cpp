#include "stores/text_frames.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <new>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr int kLevel = 3;

/// Where the frame that begins at `from` ends: between characters where the text is UTF-8.
std::size_t frame_end(std::string_view text, std::size_t from) {
  if (text.size() - from <= TextFrames::kFrameBytes) return text.size();
  const std::size_t end = utf8::floor_border(text, from + TextFrames::kFrameBytes);
  return end > from ? end : from + TextFrames::kFrameBytes;
}

}  // namespace

struct TextFrames::Contexts {
  ZSTD_CCtx* pack = nullptr;
  ZSTD_DCtx* unpack = nullptr;
  std::string buffer;
  ~Contexts() {
    ZSTD_freeCCtx(pack);
    ZSTD_freeDCtx(unpack);
  }
};

TextFrames::TextFrames() : contexts_(std::make_unique<Contexts>()) {}
TextFrames::~TextFrames() = default;

void TextFrames::pack(std::string_view text,
                      const std::function<void(std::uint64_t, std::uint64_t, std::string_view)>& put) {
  if (text.size() >= kTextBytesMax) {
    throw Error(Code::too_large, fmt::format("a text of {} bytes: a document's text is kept up to "
                                             "4 GiB; split the file",
                                             text.size()));
  }
  if (contexts_->pack == nullptr) contexts_->pack = ZSTD_createCCtx();
  if (contexts_->pack == nullptr) throw std::bad_alloc();
  std::string& packed = contexts_->buffer;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = frame_end(text, from);
    packed.resize(ZSTD_compressBound(end - from));
    const std::size_t size = ZSTD_compressCCtx(contexts_->pack, packed.data(), packed.size(),
                                               text.data() + from, end - from, kLevel);
    if (ZSTD_isError(size)) throw Error(Code::internal, ZSTD_getErrorName(size));
    put(from, end - from, std::string_view(packed.data(), size));
    from = end;
  }
}

std::optional<std::string> TextFrames::unpack(std::string_view packed, std::uint64_t bytes) {
  if (bytes > kFrameBytes) return std::nullopt;
  if (contexts_->unpack == nullptr) contexts_->unpack = ZSTD_createDCtx();
  if (contexts_->unpack == nullptr) throw std::bad_alloc();
  std::string text(bytes, '\0');
  const std::size_t size =
      ZSTD_decompressDCtx(contexts_->unpack, text.data(), text.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) || size != bytes) return std::nullopt;
  return text;
}

}  // namespace hasten
