#pragma once

#include <string>
#include <string_view>

#include <pugixml.hpp>

namespace hasten {

/// An XML document and the bytes it is parsed in: its texts point into them.
class Xml {
 public:
  /// No DTD is read and no entity of its own expanded. @throws Error(corrupt) with `name` and the
  /// place; Error(too_large) no memory for it.
  Xml(std::string bytes, std::string_view name);
  pugi::xml_node root() const { return document_.document_element(); }

 private:
  std::string bytes_;
  pugi::xml_document document_;
};

/// "p" of "w:p".
std::string_view local_name(const pugi::xml_node& node);
/// The first child or attribute of a local name; an empty one when there is none.
pugi::xml_node child(const pugi::xml_node& node, std::string_view name);
std::string_view attribute(const pugi::xml_node& node, std::string_view name);

}  // namespace hasten
