#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hasten {

/// A key of a TOML file, and what it is to be: `value` as TOML writes it ("0.95", "\"graph\"").
struct TomlChange {
  std::string_view table;  ///< empty: none, the key stands before all tables
  std::string_view key;
  std::string value;
};

/// The text with these keys set, and every other byte as it was: comments, order and line ends stay. A key
/// that is there gets the value in its place, wherever and however it is written; one that is not gets a
/// line: in its table, behind the last of the keys before all tables, or in a new table at the end.
/// @throws Error(invalid) no TOML, or one where the table's name is a value.
std::string edit_toml(std::string_view text, std::span<const TomlChange> changes);

}  // namespace hasten
