#include "engine/ingest/ignore_rules.hpp"

#include <cstddef>
#include <optional>

namespace hasten {
namespace {

/// The end of a `[...]` that begins at glob[at], and whether it holds `c`; nothing when it is not
/// closed: then '[' is a plain character.
struct Class {
  std::size_t end;
  bool holds;
};
std::optional<Class> match_class(std::string_view glob, std::size_t at, char c) {
  std::size_t i = at + 1;
  const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  bool holds = false;
  for (std::size_t first = i; i < glob.size(); ++i) {
    if (glob[i] == ']' && i > first) return Class{i + 1, holds != negated};
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      holds |= glob[i] <= c && c <= glob[i + 2];
      i += 2;
    } else {
      holds |= glob[i] == c;
    }
  }
  return std::nullopt;
}

/// Matches from `g` and `p` on. A star is retried one character further on a mismatch: linear in
/// practice, and quadratic at worst for one star, since only the last one is retried.
bool match(std::string_view glob, std::string_view path) {
  struct Retry {
    std::size_t g, p;
    bool over_parts;
  };
  std::optional<Retry> star, deep;  // the last `*` and the last `**`
  std::size_t g = 0, p = 0;
  const auto retry = [&]() -> bool {
    for (auto* last : {&star, &deep}) {
      if (!*last || (*last)->p >= path.size()) continue;
      if (!(*last)->over_parts && path[(*last)->p] == '/') continue;
      g = (*last)->g;
      p = ++(*last)->p;
      if (last == &deep) star.reset();
      return true;
    }
    return false;
  };
  while (true) {
    if (g == glob.size()) {
      if (p == path.size()) return true;
    } else if (glob.substr(g, 2) == "**") {
      g += 2;
      if (g < glob.size() && glob[g] == '/' && (g == 2 || glob[g - 3] == '/')) {
        ++g;  // "**/" stands for no folder, too
      }
      deep = Retry{g, p, true};
      star.reset();
      continue;
    } else if (glob[g] == '*') {
      star = Retry{++g, p, false};
      continue;
    } else if (p < path.size()) {
      const char c = path[p];
      if (glob[g] == '[' && c != '/') {
        if (const auto found = match_class(glob, g, c)) {
          if (found->holds) {
            g = found->end;
            ++p;
            continue;
          }
          if (retry()) continue;
          return false;
        }
      }
      const std::size_t escaped = glob[g] == '\\' && g + 1 < glob.size() ? 1 : 0;
      if ((escaped == 0 && glob[g] == '?' && c != '/') || glob[g + escaped] == c) {
        g += escaped + 1;
        ++p;
        continue;
      }
    }
    if (!retry()) return false;
  }
}

std::string_view last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view path) {
  if (glob.find('/') == std::string_view::npos) return match(glob, last_part(path));
  if (glob.front() == '/') glob.remove_prefix(1);
  return match(glob, path);
}

IgnoreRules::IgnoreRules(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    while (!line.empty() && line.back() == ' ' && (line.size() < 2 || line[line.size() - 2] != '\\')) {
      line.remove_suffix(1);
    }
    if (line.empty() || line.front() == '#') continue;
    Rule rule{};
    if (line.front() == '!') {
      rule.negated = true;
      line.remove_prefix(1);
    }
    if (!line.empty() && line.back() == '/') {
      rule.folders_only = true;
      line.remove_suffix(1);
    }
    rule.anchored = line.find('/') != std::string_view::npos;
    if (!line.empty() && line.front() == '/') line.remove_prefix(1);
    if (line.empty()) continue;
    rule.glob = line;
    rules_.push_back(std::move(rule));
  }
}

IgnoreRules::Verdict IgnoreRules::judge(std::string_view path, bool is_folder) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && !is_folder) continue;
    if (match(rule->glob, rule->anchored ? path : last_part(path))) {
      return rule->negated ? Verdict::kept : Verdict::ignored;
    }
  }
  return Verdict::none;
}

}  // namespace hasten
