#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "core/segment_store.hpp"
#include "core/vector_store.hpp"
#include "hasten/store.hpp"

namespace hasten {

/// The types that keep the truth, and those that keep vectors beside any of them.
std::span<const std::string_view> segment_store_types() noexcept;
std::span<const std::string_view> vector_store_types() noexcept;

/// Opens the truth. A store in memory begins empty, and is gone with what is returned.
/// @param folder  of a local one. @throws what the store throws; Error(invalid) its kwargs, or one in memory
/// that
///        is only to be read.
std::unique_ptr<SegmentStore> open_segment_store(const Stores& stores, const std::filesystem::path& folder,
                                                 SegmentStore::Access access, std::string_view owner);

/// The store that finds vectors; null where the segment store's own segments do. It is not connected yet.
/// @throws Error(invalid) its kwargs; Error(unavailable) the module that holds its client cannot be opened.
std::unique_ptr<VectorStore> make_vector_store(const Stores& stores);

}  // namespace hasten
