#include "readers/xml.hpp"

#include <fmt/format.h>

#include <utility>

#include "hasten/error.hpp"

namespace hasten {
namespace {

std::string_view without_prefix(std::string_view name) {
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace

Xml::Xml(std::string bytes, std::string_view name) : bytes_(std::move(bytes)) {
  // White space alone is text where it is all there is: <w:t xml:space="preserve"> </w:t>.
  constexpr unsigned kOptions = pugi::parse_default | pugi::parse_ws_pcdata_single;
  const auto result = document_.load_buffer_inplace(bytes_.data(), bytes_.size(), kOptions);
  if (result.status == pugi::status_out_of_memory) {
    throw Error(Code::too_large, fmt::format("no memory for '{}'", name));
  }
  if (!result) {
    throw Error(Code::corrupt,
                fmt::format("broken XML in '{}' at byte {}: {}", name, result.offset, result.description()));
  }
}

std::string_view local_name(const pugi::xml_node& node) { return without_prefix(node.name()); }

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& each : node) {
    if (local_name(each) == name) return each;
  }
  return {};
}

std::string_view attribute(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_attribute& each : node.attributes()) {
    if (without_prefix(each.name()) == name) return each.value();
  }
  return {};
}

}  // namespace hasten
