#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace hasten::segment_format {

// How a segment file lies on disk; docs/format-segments.md tells it in words. Little-endian.
static_assert(std::endian::native == std::endian::little, "segment files are mapped as they are");

inline constexpr char kHeaderMagic[8] = {'H', 'A', 'S', 'T', 'E', 'N', 'S', 'G'};
inline constexpr char kFooterMagic[8] = {'G', 'S', 'N', 'E', 'T', 'S', 'A', 'H'};
inline constexpr std::uint32_t kVersion = 1;
// A block is what a first touch checks: small, so that a search that jumps about reads little.
inline constexpr std::uint64_t kBlockBytes = 4096;
inline constexpr std::uint64_t kBlockBytesMax = 1 << 20;  // of files written by others
inline constexpr std::uint64_t kAlignment = 64;
inline constexpr std::uint64_t kSectionsMax = 64;
inline constexpr std::size_t kNameBytes = 32;  // zero-padded, so at most 31 characters

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t block_bytes;
  char kind[kNameBytes];
  std::uint64_t reserved;
  std::uint64_t checksum;  // of the bytes before it
};

struct SectionRow {
  char name[kNameBytes];
  std::uint64_t offset;  // in the file
  std::uint64_t length;
};

struct Footer {
  std::uint64_t sections_end;  // header, sections and padding; what the block checksums cover
  std::uint64_t table_offset;  // block checksums lie from sections_end to here
  std::uint64_t sections;
  std::uint64_t file_bytes;
  std::uint64_t table_checksum;
  std::uint64_t reserved;
  char magic[8];
  std::uint64_t checksum;  // of the bytes before it
};

static_assert(sizeof(Header) == 64 && sizeof(SectionRow) == 48 && sizeof(Footer) == 64);
static_assert(std::is_trivially_copyable_v<Header> && std::is_trivially_copyable_v<Footer>);

constexpr std::uint64_t blocks(std::uint64_t bytes, std::uint64_t block_bytes) {
  return bytes / block_bytes + (bytes % block_bytes != 0);
}

}  // namespace hasten::segment_format
