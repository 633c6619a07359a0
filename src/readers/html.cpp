#include <fmt/format.h>
#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/encoding.hpp"
#include "readers/format_list.hpp"
#include "readers/layout.hpp"

namespace hasten {
namespace {

// ---- what an element does to the text

enum class Role : std::uint8_t {
  plain,      // flows on
  skip,       // nothing in it is text
  block,      // a line of its own
  paragraph,  // parted by blank lines
  heading,
  list,
  item,
  pre,
  table,
  row,
  cell,
  line_break,
  link,
  title,
  meta,
  image,
};

struct ElementRole {
  std::string_view name;
  Role role;
};

// Sorted by name.
constexpr std::array<ElementRole, 55> kRoles{{
    {"a", Role::link},
    {"address", Role::block},
    {"article", Role::paragraph},
    {"aside", Role::paragraph},
    {"blockquote", Role::paragraph},
    {"br", Role::line_break},
    {"button", Role::link},
    {"canvas", Role::skip},
    {"caption", Role::block},
    {"dd", Role::block},
    {"details", Role::paragraph},
    {"div", Role::block},
    {"dl", Role::paragraph},
    {"dt", Role::block},
    {"fieldset", Role::paragraph},
    {"figcaption", Role::block},
    {"figure", Role::paragraph},
    {"footer", Role::paragraph},
    {"form", Role::paragraph},
    {"h1", Role::heading},
    {"h2", Role::heading},
    {"h3", Role::heading},
    {"h4", Role::heading},
    {"h5", Role::heading},
    {"h6", Role::heading},
    {"header", Role::paragraph},
    {"hr", Role::paragraph},
    {"iframe", Role::skip},
    {"img", Role::image},
    {"legend", Role::block},
    {"li", Role::item},
    {"main", Role::paragraph},
    {"menu", Role::list},
    {"meta", Role::meta},
    {"nav", Role::paragraph},
    {"object", Role::plain},
    {"ol", Role::list},
    {"optgroup", Role::block},
    {"option", Role::block},
    {"p", Role::paragraph},
    {"pre", Role::pre},
    {"script", Role::skip},
    {"section", Role::paragraph},
    {"select", Role::block},
    {"style", Role::skip},
    {"summary", Role::block},
    {"svg", Role::skip},
    {"table", Role::table},
    {"td", Role::cell},
    {"template", Role::skip},
    {"textarea", Role::block},
    {"th", Role::cell},
    {"title", Role::title},
    {"tr", Role::row},
    {"ul", Role::list},
}};
static_assert(std::is_sorted(kRoles.begin(), kRoles.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

Role role_of(std::string_view name) {
  const auto found = std::lower_bound(kRoles.begin(), kRoles.end(), name,
                                      [](const auto& row, auto wanted) { return row.name < wanted; });
  return found != kRoles.end() && found->name == name ? found->role : Role::plain;
}

/// Names of <meta> elements and the fields they fill; the first that a page has wins.
constexpr std::array<std::pair<std::string_view, const char*>, 7> kMetaFields{{
    {"author", "author"},
    {"article:author", "author"},
    {"description", "description"},
    {"og:description", "description"},
    {"date", "date"},
    {"dcterms.date", "date"},
    {"article:published_time", "date"},
}};

// ---- attributes

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

/// libxml2's array of names and values, closed by a null.
class Attributes {
 public:
  explicit Attributes(const xmlChar** pairs) : pairs_(pairs) {}
  std::optional<std::string_view> find(std::string_view name) const {
    for (const xmlChar** pair = pairs_; pair != nullptr && *pair != nullptr; pair += 2) {
      if (view(pair[0]) == name) return view(pair[1]);
    }
    return std::nullopt;
  }
  std::string_view value(std::string_view name) const { return find(name).value_or(""); }

 private:
  const xmlChar** pairs_;
};

bool is_hidden(const Attributes& attributes) {
  if (attributes.find("hidden")) return true;
  std::string style = lower_case(attributes.value("style"));
  std::erase(style, ' ');
  return style.find("display:none") != std::string::npos;
}

// ---- the page

/// Turns the parser's events into text. The parser's tree is never built: neither its depth nor its
/// memory grows with nesting.
class Page {
 public:
  explicit Page(const ReadLimits& limits) : bytes_max_(limits.text_bytes_max) {
    layouts_.emplace_back(bytes_max_);
  }

  void start(std::string_view name, const Attributes& attributes) {
    const Role role = skipped_ > 0 || is_hidden(attributes) ? Role::skip : role_of(name);
    open_.push_back({std::string(name), role});
    switch (role) {
      case Role::skip:
        ++skipped_;
        break;
      case Role::block:
        layout().begin_block();
        break;
      case Role::paragraph:
        layout().begin_paragraph();
        break;
      case Role::heading:
        start_heading(name);
        break;
      case Role::list:
        start_list(name == "ol");
        break;
      case Role::item:
        start_item();
        break;
      case Role::pre:
        start_pre();
        break;
      case Role::table:
        start_table();
        break;
      case Role::row:
        start_row();
        break;
      case Role::cell:
        start_cell();
        break;
      case Role::line_break:
        pre_ > 0 ? layout().add_verbatim("\n") : layout().break_line();
        break;
      case Role::link:
        // Menus are links side by side, kept apart by the style sheet alone.
        if (link_ended_) layout().add(" ");
        break;
      case Role::meta:
        add_meta(attributes);
        break;
      case Role::image:
        layout().add(attributes.value("alt"));
        break;
      case Role::title:
      case Role::plain:
        break;
    }
  }

  void end(std::string_view name) {
    if (open_.empty() || open_.back().name != name) return;  // events come in pairs; be safe
    const Role role = open_.back().role;
    open_.pop_back();
    link_ended_ = role == Role::link;
    switch (role) {
      case Role::skip:
        --skipped_;
        break;
      case Role::block:
        layout().begin_block();
        break;
      case Role::paragraph:
        layout().begin_paragraph();
        break;
      case Role::heading:
        layout().set_marker({});
        layout().begin_paragraph();
        break;
      case Role::list:
        end_list();
        break;
      case Role::item:
        layout().set_marker({});
        layout().begin_block();
        break;
      case Role::pre:
        end_pre();
        break;
      case Role::table:
        end_table();
        break;
      case Role::row:
        end_row();
        break;
      case Role::cell:
        end_cell();
        break;
      default:
        break;
    }
  }

  void text(std::string_view text) {
    if (skipped_ > 0) return;
    link_ended_ = false;
    if (!open_.empty() && open_.back().role == Role::title) {
      constexpr std::size_t kTitleBytesMax = 4096;
      if (title_.size() < kTitleBytesMax) title_ += text;
    } else if (pre_ > 0) {
      layout().add_verbatim(pre_began_ && text.starts_with('\n') ? text.substr(1) : text);
      pre_began_ = false;
    } else {
      layout().add(text);
    }
  }

  Extracted take() {
    while (!tables_.empty()) end_table();
    Layout title(UINT64_MAX);
    title.add(title_);
    if (std::string line = title.take(); !line.empty()) metadata_.insert_or_assign("title", line);
    return {layout().take(), std::move(metadata_), "html", {}};
  }

 private:
  struct Open {
    std::string name;
    Role role;
  };
  struct List {
    bool ordered;
    int items = 0;
  };
  struct Table {
    std::vector<std::string> cells;  ///< of the row that is open
    bool in_cell = false;
  };
  // Tables nested deeper are laid out as blocks: a cell's text is copied once for each table it is
  // in.
  static constexpr std::size_t kTablesMax = 16;
  static constexpr std::size_t kIndentMax = 16;

  /// Where text goes: the page, or the innermost cell.
  Layout& layout() { return layouts_.back(); }

  void start_heading(std::string_view name) {
    layout().begin_paragraph();
    layout().set_marker(std::string(static_cast<std::size_t>(name[1] - '0'), '#') + ' ');
  }

  void start_list(bool ordered) {
    lists_.size() > 0 ? layout().begin_block() : layout().begin_paragraph();
    lists_.push_back({ordered});
  }

  void end_list() {
    lists_.pop_back();
    lists_.size() > 0 ? layout().begin_block() : layout().begin_paragraph();
  }

  void start_item() {
    layout().begin_block();
    const std::size_t depth = std::min(lists_.size(), kIndentMax);
    std::string marker(depth > 1 ? 2 * (depth - 1) : 0, ' ');
    const bool ordered = !lists_.empty() && lists_.back().ordered;
    marker += ordered ? fmt::format("{}. ", ++lists_.back().items) : "- ";
    layout().set_marker(std::move(marker));
  }

  // A fence keeps what follows from being read as Markdown: '#' begins a comment in most code.
  void start_pre() {
    layout().begin_paragraph();
    if (pre_++ == 0) layout().add_verbatim("```\n");
    pre_began_ = true;
  }

  void end_pre() {
    if (--pre_ > 0) return;
    layout().begin_block();
    layout().add_verbatim("```");
    layout().begin_paragraph();
  }

  void start_table() {
    if (tables_.size() == kTablesMax) ++deep_tables_;
    if (deep_tables_ > 0) return layout().begin_paragraph();
    layout().begin_paragraph();
    tables_.push_back({});
  }

  void end_table() {
    if (deep_tables_ > 0) {
      --deep_tables_;
    } else if (!tables_.empty()) {
      end_row();
      tables_.pop_back();
    }
    layout().begin_paragraph();
  }

  bool rows_are_blocks() const { return tables_.empty() || deep_tables_ > 0; }

  void start_row() {
    if (rows_are_blocks()) return layout().begin_block();
    end_row();
  }

  void end_row() {
    if (rows_are_blocks()) return layout().begin_block();
    end_cell();
    std::vector<std::string>& cells = tables_.back().cells;
    const bool blank = std::all_of(cells.begin(), cells.end(), [](const auto& c) { return c.empty(); });
    if (!blank) {
      layout().begin_block();
      layout().add_verbatim(join_cells(cells));
      layout().begin_block();
    }
    cells.clear();
  }

  void start_cell() {
    if (rows_are_blocks()) return layout().begin_block();
    end_cell();
    tables_.back().in_cell = true;
    layouts_.emplace_back(bytes_max_);
  }

  void end_cell() {
    if (rows_are_blocks()) return layout().begin_block();
    if (!std::exchange(tables_.back().in_cell, false)) return;
    tables_.back().cells.push_back(layout().take());
    layouts_.pop_back();
  }

  void add_meta(const Attributes& attributes) {
    std::string name = lower_case(attributes.value("name"));
    if (name.empty()) name = lower_case(attributes.value("property"));
    const std::string content(utf8::trim(attributes.value("content")));
    if (content.empty()) return;
    for (const auto& [known, field] : kMetaFields) {
      if (name != known) continue;
      if (const auto date = Date::parse(content); date && field == std::string_view("date")) {
        metadata_.try_emplace(field, *date);
      } else {
        metadata_.try_emplace(field, content);
      }
    }
  }

  std::uint64_t bytes_max_;
  std::vector<Layout> layouts_;  // the page's and, over it, those of the open cells
  std::vector<Open> open_;
  std::vector<List> lists_;
  std::vector<Table> tables_;
  std::size_t skipped_ = 0, deep_tables_ = 0;
  int pre_ = 0;
  bool pre_began_ = false;
  bool link_ended_ = false;  // just now
  std::string title_;
  Metadata metadata_;
};

// ---- libxml2

struct FreeContext {
  void operator()(htmlParserCtxtPtr context) const { htmlFreeParserCtxt(context); }
};

/// What the C callbacks get: an exception may not cross libxml2, it waits here for the end.
struct Parse {
  Page page;
  htmlParserCtxtPtr context;
  std::exception_ptr failure;

  template <class Function>
  void guarded(Function function) noexcept {
    if (failure) return;
    try {
      function();
    } catch (...) {
      failure = std::current_exception();
      xmlStopParser(context);
    }
  }
};

void on_start(void* data, const xmlChar* name, const xmlChar** attributes) {
  auto& parse = *static_cast<Parse*>(data);
  parse.guarded([&] { parse.page.start(view(name), Attributes(attributes)); });
}

void on_end(void* data, const xmlChar* name) {
  auto& parse = *static_cast<Parse*>(data);
  parse.guarded([&] { parse.page.end(view(name)); });
}

void on_text(void* data, const xmlChar* text, int size) {
  auto& parse = *static_cast<Parse*>(data);
  parse.guarded([&] {
    parse.page.text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)});
  });
}

Extracted parse_page(const std::string& html, const ReadLimits& limits) {
  const std::unique_ptr<htmlParserCtxt, FreeContext> context(htmlNewParserCtxt());
  if (!context) throw std::bad_alloc();
  Parse parse{Page(limits), context.get(), nullptr};
  *context->sax = htmlSAXHandler{};
  context->sax->startElement = on_start;
  context->sax->endElement = on_end;
  context->sax->characters = on_text;
  context->sax->ignorableWhitespace = on_text;
  context->userData = &parse;
  constexpr int kOptions = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                           HTML_PARSE_IGNORE_ENC;
  htmlCtxtReadMemory(context.get(), html.data(), static_cast<int>(html.size()), nullptr, "UTF-8", kOptions);
  if (parse.failure) std::rethrow_exception(parse.failure);
  if (context->errNo == XML_ERR_NO_MEMORY) throw std::bad_alloc();
  return parse.page.take();
}

/// What <meta charset=...>, or the older form inside of content="...", or an XML declaration says.
std::string declared_encoding(std::string_view html) {
  constexpr std::size_t kHeadBytes = 4096;  // the standard asks for 1024
  const std::string head = lower_case(html.substr(0, kHeadBytes));
  for (const std::string_view key : {"charset=", "encoding="}) {
    const std::size_t at = head.find(key);
    if (at == std::string::npos) continue;
    const std::size_t from = head.find_first_not_of("\"' ", at + key.size());
    if (from == std::string::npos) continue;
    return head.substr(from, head.find_first_of("\"' />;?", from) - from);
  }
  return {};
}

class HtmlReader : public Reader {
 public:
  Extracted read(std::string_view bytes, std::string_view, const ReadLimits& limits) const override {
    // Markup is not text: its bound is the file's, or what libxml2 can count.
    const std::uint64_t html_bytes_max = std::min<std::uint64_t>(limits.file_bytes_max * 2, INT_MAX);
    std::string html = decode(bytes, detect_encoding(bytes, declared_encoding(bytes)), html_bytes_max);
    return parse_page(normalise_line_ends(std::move(html)), limits);
  }
};

}  // namespace

std::unique_ptr<Reader> make_html_reader() { return std::make_unique<HtmlReader>(); }

}  // namespace hasten
