#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/search/search.hpp"

namespace hasten {

/// Under which a search's result is kept; nothing where a later one may give another: a part of it is the
/// program's own, or asks a server or a model.
/// @param options  with_settings().
std::optional<std::string> result_key(KnowledgeBase& kb, std::string_view query,
                                      const SearchOptions& options);

/// All options as bytes: equal where they are.
std::string bytes_of(const SearchOptions& options);

/// What a search found, valid at the commit that it names. The texts of its nodes are at any.
std::string encode(const Found& found);
/// Nothing where these are no bytes of encode().
std::optional<Found> decode_found(std::string_view bytes);

}  // namespace hasten
