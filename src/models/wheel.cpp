#include "models/wheel.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <span>
#include <vector>

#include "base/files.hpp"
#include "hasten/error.hpp"

namespace hasten {

Wheel::Wheel(const std::filesystem::path& file) : path_(file), archive_(nullptr, zip_discard) {
  int error = 0;
  archive_.reset(zip_open(file.c_str(), ZIP_RDONLY, &error));
  if (!archive_) {
    throw Error(Code::corrupt, fmt::format("'{}' is not a wheel (a zip archive)", file.string()));
  }
}

void Wheel::for_each_part(const std::string& member, std::uint64_t bytes_max,
                          const std::function<void(std::string_view)>& part) const {
  const auto fail = [&](Code code, std::string_view what) {
    throw Error(code, fmt::format("'{}' in '{}' {}", member, path_.string(), what));
  };
  zip_stat_t entry{};
  if (zip_stat(archive_.get(), member.c_str(), 0, &entry) != 0) fail(Code::corrupt, "is absent");
  if (entry.size > bytes_max) fail(Code::too_large, fmt::format("has {} bytes", entry.size));
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> open(zip_fopen(archive_.get(), member.c_str(), 0),
                                                               zip_fclose);
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint64_t left = entry.size;
  while (open && left > 0) {
    const auto n = zip_fread(open.get(), buffer.data(), buffer.size());
    if (n <= 0 || static_cast<std::uint64_t>(n) > left) break;
    part({buffer.data(), static_cast<std::size_t>(n)});
    left -= static_cast<std::uint64_t>(n);
  }
  if (!open || left > 0) fail(Code::corrupt, "is damaged");
}

std::string Wheel::read(const std::string& member, std::uint64_t bytes_max) const {
  std::string bytes;
  for_each_part(member, bytes_max, [&](std::string_view part) { bytes += part; });
  return bytes;
}

void Wheel::extract(const std::string& member, const std::filesystem::path& to,
                    std::uint64_t bytes_max) const {
  const File file = create_file(to);
  for_each_part(member, bytes_max,
                [&](std::string_view part) { write_all(file, std::as_bytes(std::span(part)), to); });
}

}  // namespace hasten
