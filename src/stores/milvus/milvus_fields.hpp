#pragma once

#include <optional>
#include <string>

#include "hasten/filter.hpp"

namespace hasten {

/// How fields stand in Milvus, so that its filters can mean exactly what ours do. A server compares values of
/// JSON by rules of its own (numbers with booleans, what is missing, what `!=` says of it), and these differ
/// between servers. So each field is one key for its type, "lang:s", "year:n", "draft:b", "date:d", "tag:l"
/// ("year:x" where it is NaN), and "keys" lists those that are there, with "lang:e" for "lang exists": every
/// comparison asks first whether its key is there, and then meets its own type only.
///
/// Texts are kept to kMilvusTextMax bytes: what a filter's shorter literal says of them is said by the
/// beginning.

constexpr std::size_t kMilvusTextMax = 1024;

/// The JSON of fields, at most 64 KiB.
/// @throws Error(refused) it is larger: Milvus takes no more.
std::string milvus_fields(const Metadata& fields);

/// A filter as an expression of Milvus 2.3 and later, over a JSON field named `column`; nothing where it
/// holds a part that cannot be said exactly: prefix(), numbers of 2^53 or more, `in` with more than 100
/// values, and texts of nearly kMilvusTextMax bytes or more, with control characters, or that are no UTF-8.
std::optional<std::string> milvus_filter(const Filter& filter, std::string_view column);

}  // namespace hasten
