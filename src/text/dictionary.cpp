#include "text/dictionary.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/hashing.hpp"
#include "base/resources.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view what) {
  throw Error(Code::damaged, fmt::format("{}: {}; install or build it again", file.string(), what));
}

const DictionaryHeader& checked_header(const MappedFile& file) {
  const auto bytes = file.bytes();
  if (bytes.size() < sizeof(DictionaryHeader)) fail(file.path(), "too short for a dictionary");
  const auto& header = *reinterpret_cast<const DictionaryHeader*>(bytes.data());
  if (header.magic != kDictionaryMagic) fail(file.path(), "not a dictionary");
  if (header.version != kDictionaryVersion) {
    fail(file.path(), fmt::format("version {}, expected {}", header.version, kDictionaryVersion));
  }
  const auto covered = bytes.first(offsetof(DictionaryHeader, header_checksum));
  if (checksum(covered) != header.header_checksum) fail(file.path(), "wrong checksum of the header");
  const auto body = bytes.subspan(sizeof(DictionaryHeader));
  if (body.size() != header.body_bytes) {
    fail(file.path(), fmt::format("{} bytes after the header, expected {}", body.size(), header.body_bytes));
  }
  if (checksum(body) != header.body_checksum) fail(file.path(), "wrong checksum");
  return header;
}

/// Takes an array off the front of the body, and the padding after it.
template <class T>
std::span<const T> take(std::span<const std::byte>& body, std::size_t n) {
  const std::span<const T> values(reinterpret_cast<const T*>(body.data()), n);
  body = body.subspan((n * sizeof(T) + 7) / 8 * 8);
  return values;
}

}  // namespace

Dictionary::Dictionary(const std::filesystem::path& file) : file_(file), header_(&checked_header(file_)) {
  auto body = file_.bytes().subspan(sizeof(DictionaryHeader));
  weights_ = take<double>(body, header_->weights);
  emissions_ = take<Row>(body, header_->emissions);
  characters_ = take<Character>(body, header_->pages * kCharactersPerPage);
  pages_ = take<std::uint16_t>(body, kPageEntries);
  labels_ = take<std::uint32_t>(body, header_->nodes);
  children_ = take<std::uint32_t>(body, header_->nodes + 1);
  words_ = take<std::uint16_t>(body, header_->nodes);
}

std::uint32_t Dictionary::child(std::uint32_t node, char32_t c) const noexcept {
  const auto first = labels_.begin() + children_[node];
  const auto last = labels_.begin() + children_[node + 1];
  const auto found = std::lower_bound(first, last, c);
  if (found == last || *found != c) return 0;
  return static_cast<std::uint32_t>(found - labels_.begin());
}

const Dictionary& dictionary() {
  static const Dictionary loaded(resource("words.dict"));
  return loaded;
}

}  // namespace hasten
