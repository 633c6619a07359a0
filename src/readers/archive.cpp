#include "readers/archive.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <array>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using namespace std::string_view_literals;

struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

/// Office documents with a password are OLE containers that hold the ZIP file encrypted.
void refuse_ole(std::string_view bytes) {
  if (!bytes.starts_with("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv)) return;
  constexpr auto kStream = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"sv;  // UTF-16
  if (bytes.find(kStream) != std::string_view::npos) {
    throw Error(Code::encrypted, "the document is encrypted; save it without its password");
  }
  throw Error(Code::corrupt, "an OLE container (an old Office format) where a ZIP file was to be");
}

[[noreturn]] void fail(std::string_view what, zip_error_t* error) {
  const Code code = zip_error_code_zip(error) == ZIP_ER_MEMORY ? Code::too_large : Code::corrupt;
  throw Error(code, fmt::format("{}: {}", what, zip_error_strerror(error)));
}

}  // namespace

void Archive::Close::operator()(zip* archive) const { zip_discard(archive); }

Archive::Archive(std::string_view bytes, std::uint64_t bytes_max) : bytes_left_(bytes_max) {
  constexpr std::int64_t kEntriesMax = 20'000;
  if (bytes.empty()) throw Error(Code::empty, "the file has no bytes");
  refuse_ole(bytes);
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) fail("cannot open the ZIP file", &error);
  archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!archive_) {
    zip_source_free(source);
    fail("not a whole ZIP file", &error);
  }
  if (zip_get_num_entries(archive_.get(), 0) > kEntriesMax) {
    throw Error(Code::too_large, fmt::format("the ZIP file has more than {} entries", kEntriesMax));
  }
}

std::optional<std::string> Archive::read(const std::string& name) {
  zip_stat_t entry;
  zip_stat_init(&entry);
  if (zip_stat(archive_.get(), name.c_str(), ZIP_FL_NOCASE, &entry) != 0) return std::nullopt;
  if ((entry.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && entry.encryption_method != ZIP_EM_NONE) {
    throw Error(Code::encrypted, fmt::format("'{}' in the ZIP file is encrypted", name));
  }
  const auto too_large = [&] {
    return Error(Code::too_large,
                 fmt::format("'{}' in the ZIP file unpacks to more than {} bytes", name, bytes_left_));
  };
  if (entry.size > bytes_left_) throw too_large();
  const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(archive_.get(), entry.index, 0));
  if (!file) fail(fmt::format("cannot unpack '{}'", name), zip_get_error(archive_.get()));
  std::string bytes;
  std::array<char, 1 << 15> chunk;
  while (true) {  // the size that the entry states may be a lie
    const zip_int64_t n = zip_fread(file.get(), chunk.data(), chunk.size());
    if (n < 0) fail(fmt::format("cannot unpack '{}'", name), zip_file_get_error(file.get()));
    if (n == 0) break;
    bytes.append(chunk.data(), static_cast<std::size_t>(n));
    if (bytes.size() > bytes_left_) throw too_large();
  }
  bytes_left_ -= bytes.size();
  return bytes;
}

}  // namespace hasten
