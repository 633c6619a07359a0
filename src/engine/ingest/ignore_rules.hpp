#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Whether a path ('/' between parts) matches a glob: `*` and `?` within a part, `**` over parts,
/// `[a-z]`. A glob without '/' is tried on the last part alone, as in .gitignore.
bool glob_matches(std::string_view glob, std::string_view path);

/// The rules of one .gitignore file: blank lines and comments, `!` that takes back, a leading or
/// inner '/' that anchors, a trailing '/' for folders only; the last rule that matches decides.
/// Source: the format described in git's gitignore(5).
class IgnoreRules {
 public:
  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text);

  enum class Verdict { none, ignored, kept };
  /// @param path  relative to the folder of the .gitignore.
  Verdict judge(std::string_view path, bool is_folder) const;

 private:
  struct Rule {
    std::string glob;
    bool negated;
    bool folders_only;
    bool anchored;
  };
  std::vector<Rule> rules_;
};

}  // namespace hasten
