#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "hasten/node.hpp"

namespace hasten {

/// The first 128 bits of the SHA-256 of the parts, each preceded by its length.
Id id_of(std::initializer_list<std::string_view> parts);

/// One that no other is.
Id random_id();

/// They are drawn, or of a hash: any of their bits will do.
struct IdHash {
  std::size_t operator()(const Id& id) const noexcept { return id.low; }
};

/// As 16 bytes, the most significant first, for storage.
std::string id_bytes(const Id& id);
/// @return nothing unless there are 16 bytes.
std::optional<Id> id_from_bytes(std::string_view bytes) noexcept;

}  // namespace hasten
