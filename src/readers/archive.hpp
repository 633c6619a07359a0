#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct zip;

namespace hasten {

/// A ZIP file in memory, read within bounds. Entries are only ever read, by name: nothing is
/// written anywhere, whatever paths the entries claim.
class Archive {
 public:
  /// @param bytes      borrowed while the archive lives.
  /// @param bytes_max  what all entries that are read may unpack to together.
  /// @throws Error(empty) no bytes; Error(encrypted) an encrypted office document (an OLE
  /// container);
  ///         Error(corrupt) no ZIP file, or one cut short; Error(too_large) too many entries.
  Archive(std::string_view bytes, std::uint64_t bytes_max);

  /// The unpacked entry; nothing when there is none of that name (in any case of letters).
  /// @throws Error(encrypted); Error(corrupt) a wrong checksum or a broken stream;
  ///         Error(too_large) beyond the bound.
  std::optional<std::string> read(const std::string& name);

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  std::unique_ptr<zip, Close> archive_;
  std::uint64_t bytes_left_;
};

}  // namespace hasten
