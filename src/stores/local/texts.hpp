#pragma once

#include <string>
#include <string_view>

#include "hasten/node.hpp"
#include "stores/local/sqlite.hpp"
#include "stores/text_frames.hpp"

namespace hasten {

/// Documents' texts as rows of frames. Used by one thread at a time.
class Texts {
 public:
  /// @throws Error(too_large) a text of TextFrames::kTextBytesMax or more.
  void write(sqlite::Connection& connection, std::uint32_t document, std::string_view text);
  void remove(sqlite::Connection& connection, std::uint32_t document);
  /// The bytes of `span`. @throws Error(damaged) frames that do not cover it or cannot be unpacked.
  std::string read(sqlite::Connection& connection, std::uint32_t document, Span span);

  /// A frame as its row has it. Reads the row that `query` stands at, of `SELECT * FROM texts`.
  struct Frame {
    std::uint32_t document = 0;
    std::uint64_t first = 0;
    std::string text;
  };
  /// @throws Error(damaged)
  Frame read_frame(sqlite::Query& query);

 private:
  TextFrames frames_;
};

}  // namespace hasten
