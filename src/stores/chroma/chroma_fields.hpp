#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/vector_store.hpp"

namespace hasten {

/// How fields lie in Chroma's metadata.
///
/// Chroma adds what is sent to the metadata that a record has: keys of before stay where the new ones lack
/// them. So a record has the keys "node" and "document", which are always sent, and one list "fields" that is
/// replaced as a whole, of words that each say one thing about one field: of which kind it is, and to what
/// it is equal. The numbers for < and > lie beside it under keys of their own; they count only where the list
/// says that the field has that kind now, so that one which was left behind is never seen.
///
/// A word begins with the length of the field's name and the name. Long names and values stand there as
/// their SHA-256. Numbers are equal where they are the same number, be they int64 or double.
nlohmann::json chroma_metadata(const VectorRecord& record);

/// The `where` that passes the records whose fields the filter matches, exactly those; nothing for prefixes,
/// for < and > of strings, booleans and numbers from 2^53 on, and for more than a
/// thousand comparisons or fifty levels.
std::optional<nlohmann::json> chroma_where(const Filter& filter);

/// Both: what the restriction lets pass; null for all.
nlohmann::json chroma_where(const VectorRestriction& restriction);

}  // namespace hasten
