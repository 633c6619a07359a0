// A segment file of any bytes: an error or data, never a crash. Input: a patch of a good file,
// whose checksums are made to fit again where the first byte is odd, as else hardly any input
// passes them.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"
#include "segments/segment_file.hpp"
#include "segments/segment_format.hpp"

namespace {

using namespace hasten;
namespace format = segment_format;

std::string good_file() {
  const auto path = std::filesystem::temp_directory_path() / ("hasten-fuzz-" + std::to_string(getpid()));
  SegmentFileWriter writer(path, "fuzz");
  for (std::string name : {"a", "b"}) {
    writer.begin(name);
    const std::string bytes(name == "a" ? 100 : 70000, 'x');
    writer.write(std::as_bytes(std::span(bytes)));
  }
  writer.finish();
  std::string bytes = read_file(path);
  std::filesystem::remove(path);
  return bytes;
}

// Each 10 bytes of input: how far from the end, and what to put there.
void patch(std::string& bytes, const std::uint8_t* data, std::size_t size) {
  for (; size >= 10 && !bytes.empty(); data += 10, size -= 10) {
    const std::size_t from_end = 1 + (data[0] | data[1] << 8) % bytes.size();
    std::memcpy(bytes.data() + bytes.size() - from_end, data + 2, std::min<std::size_t>(8, from_end));
  }
}

void fix_checksums(std::string& bytes) {
  if (bytes.size() < sizeof(format::Header) + sizeof(format::Footer)) return;
  const auto text = std::string_view(bytes);
  const auto put = [&](std::size_t at, std::uint64_t sum) { std::memcpy(bytes.data() + at, &sum, 8); };
  put(56, checksum(text.substr(0, 56)));
  const std::size_t footer_at = bytes.size() - sizeof(format::Footer);
  format::Footer footer;
  std::memcpy(&footer, bytes.data() + footer_at, sizeof footer);
  const std::uint64_t table_bytes = footer.sections * sizeof(format::SectionRow);
  if (footer.table_offset <= footer_at && table_bytes <= footer_at - footer.table_offset) {
    put(footer_at + offsetof(format::Footer, table_checksum),
        checksum(text.substr(footer.table_offset, table_bytes)));
  }
  put(footer_at + 56, checksum(text.substr(footer_at, 56)));
}

void read_all(const std::string& path) {
  const SegmentFile file(path, "fuzz");
  std::uint64_t sum = 0;
  for (const char* name : {"a", "b", "none"}) {
    for (std::byte byte : file.bytes(name, 0, file.size(name))) sum += std::to_integer<int>(byte);
  }
  file.verify();
  if (sum == UINT64_MAX) std::abort();  // so that the reads are not left out
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string good = good_file();
  if (size == 0) return 0;
  std::string bytes = data[0] & 2 ? good : std::string(reinterpret_cast<const char*>(data), size);
  if (data[0] & 2) patch(bytes, data + 1, size - 1);
  if (data[0] & 1) fix_checksums(bytes);
  const int memory = memfd_create("segment", MFD_CLOEXEC);
  const File file(memory);
  try {
    write_all(file, std::as_bytes(std::span(bytes)), "memory");
    read_all("/proc/self/fd/" + std::to_string(memory));
  } catch (const Error& error) {
    if (error.code() != Code::damaged && error.code() != Code::mismatch) std::abort();
  }
  return 0;
}
