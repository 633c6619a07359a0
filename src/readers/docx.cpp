#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/archive.hpp"
#include "readers/docx_numbering.hpp"
#include "readers/format_list.hpp"
#include "readers/layout.hpp"
#include "readers/xml.hpp"

namespace hasten {
namespace {

using pugi::xml_node;

// ---- the package: parts and how they refer to each other (ECMA-376, part 2)

std::string folder_of(std::string_view part) {
  const std::size_t slash = part.rfind('/');
  return std::string(part.substr(0, slash == std::string_view::npos ? 0 : slash + 1));
}

/// What the parts that `part` refers to are called, by the last word of the relation's type.
std::map<std::string, std::string> relations(Archive& archive, const std::string& part) {
  const std::string folder = folder_of(part);
  const auto bytes = archive.read(folder + "_rels/" + part.substr(folder.size()) + ".rels");
  std::map<std::string, std::string> targets;
  if (!bytes) return targets;
  const Xml xml(*bytes, part + ".rels");
  for (const xml_node& relation : xml.root()) {
    const std::string_view type = attribute(relation, "Type");
    std::string target(attribute(relation, "Target"));
    if (attribute(relation, "TargetMode") == "External" || target.empty()) continue;
    target = target.front() == '/' ? target.substr(1) : folder + target;
    targets.try_emplace(std::string(type.substr(type.rfind('/') + 1)), std::move(target));
  }
  return targets;
}

// ---- styles

struct Style {
  int heading = 0;   ///< 1 to 6; 0: none
  std::string list;  ///< the numbering that its paragraphs are in
  std::string based_on;
};

int to_level(std::string_view digit) {
  return digit.size() == 1 && digit[0] >= '0' && digit[0] <= '9' ? digit[0] - '0' : -1;
}

/// The level of "heading 2", as styles are called inside in all languages, and of "Title".
int heading_of_name(std::string_view name) {
  if (name == "Title" || name == "title") return 1;
  if (!name.starts_with("heading ") && !name.starts_with("Heading ")) return 0;
  return std::clamp(to_level(name.substr(8)), 0, 6);
}

int heading_of_outline(const xml_node& properties) {
  const int level = to_level(attribute(child(properties, "outlineLvl"), "val"));
  return level >= 0 && level < 6 ? level + 1 : 0;  // level 9 is body text
}

std::string list_of(const xml_node& properties) {
  return std::string(attribute(child(child(properties, "numPr"), "numId"), "val"));
}

class Styles {
 public:
  void load(const xml_node& styles) {
    for (const xml_node& node : styles) {
      if (local_name(node) != "style") continue;
      const xml_node properties = child(node, "pPr");
      Style style;
      style.heading = heading_of_name(attribute(child(node, "name"), "val"));
      if (style.heading == 0) style.heading = heading_of_outline(properties);
      style.list = list_of(properties);
      style.based_on = attribute(child(node, "basedOn"), "val");
      styles_.try_emplace(std::string(attribute(node, "styleId")), std::move(style));
    }
  }

  /// The style with what it inherits.
  Style find(std::string_view id) const {
    Style whole;
    constexpr int kAncestorsMax = 16;  // a style may be based on itself by mistake
    for (int i = 0; i < kAncestorsMax; ++i) {
      const auto found = styles_.find(id);
      if (found == styles_.end()) break;
      if (whole.heading == 0) whole.heading = found->second.heading;
      if (whole.list.empty()) whole.list = found->second.list;
      id = found->second.based_on;
    }
    return whole;
  }

 private:
  std::map<std::string, Style, std::less<>> styles_;
};

// ---- the text

/// What an element is to the text.
enum class Part {
  through,  // what is in it counts
  skip,
  text,
  tab,
  line_break,
  hyphen,
  run,
  paragraph,
  table,
  alternatives,
  text_box,
  footnote,
  endnote,
  comment,
  denominator,
  superscript,
  subscript,
};

struct PartOfName {
  std::string_view name;
  Part part;
};

// Deleted and moved-away text, field codes and phonetic guides are not text.
constexpr std::array<PartOfName, 29> kParts{{
    {"AlternateContent", Part::alternatives},
    {"br", Part::line_break},
    {"commentReference", Part::comment},
    {"cr", Part::line_break},
    {"del", Part::skip},
    {"delInstrText", Part::skip},
    {"delText", Part::skip},
    {"den", Part::denominator},
    {"endnoteReference", Part::endnote},
    {"footnoteReference", Part::footnote},
    {"instrText", Part::skip},
    {"moveFrom", Part::skip},
    {"noBreakHyphen", Part::hyphen},
    {"p", Part::paragraph},
    {"pPr", Part::skip},
    {"ptab", Part::tab},
    {"r", Part::run},
    {"rPr", Part::skip},
    {"rt", Part::skip},
    {"sdtPr", Part::skip},
    {"sectPr", Part::skip},
    {"sub", Part::subscript},
    {"sup", Part::superscript},
    {"t", Part::text},
    {"tab", Part::tab},
    {"tblPr", Part::skip},
    {"tbl", Part::table},
    {"tcPr", Part::skip},
    {"txbxContent", Part::text_box},
}};

Part part_of(std::string_view name) {
  const auto found =
      std::find_if(kParts.begin(), kParts.end(), [&](const PartOfName& row) { return row.name == name; });
  return found == kParts.end() ? Part::through : found->part;
}

bool is_set(const xml_node& properties, std::string_view flag) {
  const xml_node node = child(properties, flag);
  const std::string_view value = attribute(node, "val");
  return node && value != "0" && value != "false" && value != "off";
}

/// The notes of one part (footnotes, endnotes, comments) by their id, and which were shown.
struct Notes {
  std::optional<Xml> xml;
  std::map<std::string, xml_node, std::less<>> nodes;
  std::map<std::string, int, std::less<>> numbers;
};

class Document {
 public:
  Document(Archive& archive, const ReadLimits& limits)
      : limits_(limits), page_(limits.text_bytes_max), layout_(&page_) {
    const auto package = relations(archive, "");
    const auto found = package.find("officeDocument");
    const std::string main = found == package.end() ? "word/document.xml" : found->second;
    auto bytes = archive.read(main);
    if (!bytes) throw Error(Code::corrupt, fmt::format("the ZIP file has no '{}': no Word document", main));
    body_.emplace(*std::move(bytes), main);
    load_parts(archive, relations(archive, main));
    if (const auto core = package.find("core-properties"); core != package.end()) {
      load_properties(archive, core->second);
    }
  }

  Extracted read() {
    const xml_node body = child(body_->root(), "body");
    if (!body) throw Error(Code::corrupt, "the main part has no body: no Word document");
    for (const xml_node& node : body) {
      walk(node, 0);
      flush_asides();
    }
    if (!heading_.empty()) metadata_.try_emplace("title", heading_);
    return {page_.take(), std::move(metadata_), "docx", {}};
  }

 private:
  static constexpr int kDepthMax = 400;  // elements within each other; a text box takes about twenty

  // -- parts

  static std::optional<Xml> load(Archive& archive, const std::map<std::string, std::string>& parts,
                                 const char* name) {
    const auto part = parts.find(name);
    if (part == parts.end()) return std::nullopt;
    std::optional<std::string> bytes = archive.read(part->second);
    if (!bytes) return std::nullopt;
    return std::optional<Xml>(std::in_place, *std::move(bytes), part->second);
  }

  void load_parts(Archive& archive, const std::map<std::string, std::string>& parts) {
    if (const auto xml = load(archive, parts, "styles")) styles_.load(xml->root());
    if (const auto xml = load(archive, parts, "numbering")) numbering_.load(xml->root());
    load_notes(footnotes_, load(archive, parts, "footnotes"));
    load_notes(endnotes_, load(archive, parts, "endnotes"));
    load_notes(comments_, load(archive, parts, "comments"));
  }

  static void load_notes(Notes& notes, std::optional<Xml> xml) {
    if (!xml) return;
    notes.xml = std::move(xml);
    for (const xml_node& note : notes.xml->root()) {
      if (attribute(note, "type").empty()) notes.nodes.emplace(attribute(note, "id"), note);
    }
  }

  void load_properties(Archive& archive, const std::string& part) {
    const auto bytes = archive.read(part);
    if (!bytes) return;
    const Xml xml(*bytes, part);
    constexpr std::array<std::pair<const char*, const char*>, 6> kFields{{{"title", "title"},
                                                                          {"creator", "author"},
                                                                          {"subject", "subject"},
                                                                          {"keywords", "keywords"},
                                                                          {"created", "created"},
                                                                          {"modified", "modified"}}};
    for (const auto& [element, field] : kFields) {
      const std::string_view value = utf8::trim(child(xml.root(), element).child_value());
      if (value.empty()) continue;
      const auto date = Date::parse(value);
      metadata_.emplace(field, date ? Value(*date) : Value(std::string(value)));
    }
  }

  // -- the walk

  void walk_children(const xml_node& node, int depth) {
    if (depth > kDepthMax) {
      throw Error(Code::corrupt, fmt::format("elements nested deeper than {}", kDepthMax));
    }
    for (const xml_node& each : node) walk(each, depth + 1);
  }

  void walk(const xml_node& node, int depth) {
    switch (part_of(local_name(node))) {
      case Part::skip:
        break;
      case Part::through:
        walk_children(node, depth);
        break;
      case Part::text:
        layout_->add(node.child_value());
        break;
      case Part::tab:
        layout_->add(" ");
        break;
      case Part::line_break:
        layout_->break_line();
        break;
      case Part::hyphen:
        layout_->add("-");
        break;
      case Part::run:
        walk_run(node, depth);
        break;
      case Part::paragraph:
        walk_paragraph(node, depth);
        break;
      case Part::table:
        walk_table(node, depth);
        break;
      case Part::alternatives:
        walk_alternatives(node, depth);
        break;
      case Part::text_box:
        asides_.push_back({node, {}});
        break;
      case Part::footnote:
        refer_to(footnotes_, node, "");
        break;
      case Part::endnote:
        refer_to(endnotes_, node, "e");
        break;
      case Part::comment:
        refer_to_comment(node);
        break;
      case Part::denominator:
        walk_behind("/", node, depth);
        break;
      case Part::superscript:
        walk_behind("^", node, depth);
        break;
      case Part::subscript:
        walk_behind("_", node, depth);
        break;
    }
  }

  void walk_behind(std::string_view mark, const xml_node& node, int depth) {
    layout_->add(mark);
    walk_children(node, depth);
  }

  void walk_run(const xml_node& run, int depth) {
    if (!is_set(child(run, "rPr"), "vanish")) walk_children(run, depth);
  }

  /// The same drawing for newer and older programs: one of them is enough.
  void walk_alternatives(const xml_node& node, int depth) {
    const xml_node choice = child(node, "Choice");
    walk_children(choice ? choice : child(node, "Fallback"), depth);
  }

  void walk_paragraph(const xml_node& paragraph, int depth) {
    const xml_node properties = child(paragraph, "pPr");
    const std::string_view style_id = attribute(child(properties, "pStyle"), "val");
    const Style style = styles_.find(style_id);
    const int outline = heading_of_outline(properties);
    const int heading = outline > 0 ? outline : style.heading;
    const bool listed = start_paragraph(properties, style, style_id, heading);
    if (heading > 0 && heading_.empty()) {
      heading_ = paragraph_text(paragraph, depth);
      layout_->add(heading_);
    } else {
      walk_children(paragraph, depth);
    }
    layout_->set_marker({});
    listed ? layout_->begin_block() : layout_->begin_paragraph();
  }

  std::string paragraph_text(const xml_node& paragraph, int depth) {
    Layout text(limits_.text_bytes_max);
    Layout* outer = std::exchange(layout_, &text);
    walk_children(paragraph, depth);
    layout_ = outer;
    return text.take();
  }

  /// @return whether the paragraph is an item of a list, which stands close to the next.
  bool start_paragraph(const xml_node& properties, const Style& style, std::string_view style_id,
                       int heading) {
    const std::string own_list = list_of(properties);
    const std::string& list = own_list.empty() ? style.list : own_list;
    const int own_level = to_level(attribute(child(child(properties, "numPr"), "ilvl"), "val"));
    const int level = own_level >= 0 ? own_level : numbering_.level_of_style(list, style_id).value_or(0);
    std::string marker = numbering_.next_marker(list, level);
    const bool listed = heading == 0 && !marker.empty();
    listed ? layout_->begin_block() : layout_->begin_paragraph();
    if (heading > 0) {
      marker = std::string(static_cast<std::size_t>(heading), '#') + ' ' + marker;
    } else if (listed) {
      marker.insert(0, static_cast<std::size_t>(level) * 2, ' ');
    }
    layout_->set_marker(std::move(marker));
    return listed;
  }

  // -- tables

  void walk_table(const xml_node& table, int depth) {
    layout_->begin_paragraph();
    walk_rows(table, depth);
    layout_->begin_paragraph();
  }

  /// Rows may stand within content controls and tracked insertions.
  void walk_rows(const xml_node& node, int depth) {
    if (depth > kDepthMax) throw Error(Code::corrupt, "tables nested too deep");
    for (const xml_node& each : node) {
      const std::string_view name = local_name(each);
      if (name == "tr") {
        walk_row(each, depth + 1);
      } else if (part_of(name) == Part::through) {
        walk_rows(each, depth + 1);
      }
    }
  }

  void walk_row(const xml_node& row, int depth) {
    if (child(child(row, "trPr"), "del")) return;
    std::vector<std::string> cells;
    collect_cells(row, cells, depth);
    const bool blank = std::all_of(cells.begin(), cells.end(), [](const auto& c) { return c.empty(); });
    if (blank) return;
    layout_->begin_block();
    layout_->add_verbatim(join_cells(cells));
    layout_->begin_block();
  }

  void collect_cells(const xml_node& node, std::vector<std::string>& cells, int depth) {
    if (depth > kDepthMax) throw Error(Code::corrupt, "tables nested too deep");
    for (const xml_node& each : node) {
      const std::string_view name = local_name(each);
      if (name == "tc") {
        const xml_node merge = child(child(each, "tcPr"), "vMerge");
        const bool continued = merge && attribute(merge, "val") != "restart";
        cells.push_back(continued ? std::string() : paragraph_text(each, depth));
      } else if (part_of(name) == Part::through) {
        collect_cells(each, cells, depth + 1);
      }
    }
  }

  // -- what stands beside the text: text boxes and notes follow the block that they belong to

  struct Aside {
    xml_node node;
    std::string marker;
  };

  void refer_to(Notes& notes, const xml_node& reference, std::string_view prefix) {
    const auto note = notes.nodes.find(attribute(reference, "id"));
    if (note == notes.nodes.end()) return;
    const auto [number, is_new] =
        notes.numbers.emplace(note->first, static_cast<int>(notes.numbers.size()) + 1);
    const std::string mark = fmt::format("[^{}{}]", prefix, number->second);
    layout_->add(mark);
    if (is_new) asides_.push_back({note->second, mark + ": "});
  }

  void refer_to_comment(const xml_node& reference) {
    const auto note = comments_.nodes.find(attribute(reference, "id"));
    if (note == comments_.nodes.end() || !comments_.numbers.emplace(note->first, 0).second) return;
    asides_.push_back({note->second, fmt::format("[comment, {}] ", attribute(note->second, "author"))});
  }

  void flush_asides() {
    // Asides may have asides of their own: a text box in a text box.
    for (std::size_t i = 0; i < asides_.size(); ++i) {
      const Aside aside = asides_[i];
      const std::string text = paragraph_text(aside.node, 0);
      if (text.empty()) continue;
      layout_->begin_paragraph();
      layout_->add_verbatim(aside.marker + text);
      layout_->begin_paragraph();
    }
    asides_.clear();
  }

  const ReadLimits& limits_;
  std::optional<Xml> body_;
  Styles styles_;
  DocxNumbering numbering_;
  Notes footnotes_, endnotes_, comments_;
  Layout page_;
  Layout* layout_;  // where text goes: the page, a cell, a note
  std::vector<Aside> asides_;
  std::string heading_;  // the first
  Metadata metadata_;
};

class DocxReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    // The tree of an XML part takes several times its bytes.
    Archive archive(bytes, limits.memory_bytes_max / 6);
    return Document(archive, limits).read();
  }
};

}  // namespace

std::unique_ptr<Reader> make_docx_reader() { return std::make_unique<DocxReader>(); }

}  // namespace hasten
