#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hasten {

/// Cuts documents' texts into frames of at most 64 KB, between characters, and packs each by zstd, so that
/// reading a passage unpacks the one or two frames that hold it. Used by one thread at a time.
class TextFrames {
 public:
  static constexpr std::size_t kFrameBytes = 64 << 10;
  static constexpr std::uint64_t kTextBytesMax = std::uint64_t{1} << 32;

  TextFrames();
  ~TextFrames();

  /// Calls `put(first, bytes, packed)` for each frame: the offset of its first byte, how many it has, and the
  /// frame, valid for the call. @throws Error(too_large) a text of kTextBytesMax or more.
  void pack(std::string_view text,
            const std::function<void(std::uint64_t, std::uint64_t, std::string_view)>& put);
  /// @return nothing where it is no frame of so many bytes.
  std::optional<std::string> unpack(std::string_view packed, std::uint64_t bytes);

 private:
  struct Contexts;  // zstd's, kept: making one costs more than a frame
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace hasten
