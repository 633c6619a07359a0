#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hasten/node.hpp"
#include "stores/local/sqlite.hpp"

namespace hasten {

/// Keeps documents' texts as zstd frames of at most 64 KB of text, cut between characters, so that
/// reading a passage unpacks the one or two frames that hold it. Used by one thread at a time.
class Texts {
 public:
  static constexpr std::size_t kFrameBytes = 64 << 10;
  static constexpr std::uint64_t kTextBytesMax = std::uint64_t{1} << 32;

  Texts();
  ~Texts();

  /// @throws Error(too_large) a text of kTextBytesMax or more.
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
  struct Contexts;  // zstd's, kept: making one costs more than a frame
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace hasten
