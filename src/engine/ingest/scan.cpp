#include "engine/ingest/scan.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/files.hpp"
#include "engine/ingest/ignore_rules.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

struct FileState {
  std::uint64_t size;
  std::int64_t mtime_ns;
};

std::optional<FileState> state_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileState{static_cast<std::uint64_t>(status.st_size),
                   std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool lies_under(const fs::path& path, const fs::path& folder) {
  const auto [end, _] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

/// Walks one root, keeping the .gitignore files of the folders it is in.
class Walk {
 public:
  Walk(ScannedRoot& root, std::span<const std::string> include, std::span<const std::string> exclude,
       std::stop_token stop, ScanResult& result)
      : root_(root), include_(include), exclude_(exclude), stop_(std::move(stop)), result_(result) {}

  void run() { folder(root_.canonical, ""); }

 private:
  struct Rules {
    std::string folder;  // relative to the root, "" or ending in '/'
    IgnoreRules rules;
  };

  void folder(const fs::path& absolute, const std::string& relative) {
    if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped while looking for files");
    std::error_code failed;
    const fs::path canonical = fs::canonical(absolute, failed);
    if (failed || !visited_.insert(canonical.string()).second) return;  // a link back: seen already
    fs::directory_iterator entries(absolute, failed);
    if (failed) {
      result_.unreadable.push_back({shown_path(root_.shown, relative), failed.message()});
      return;
    }
    const bool has_rules = read_rules(absolute, relative);
    std::vector<fs::directory_entry> sorted(begin(entries), end(entries));
    std::sort(sorted.begin(), sorted.end());
    for (const auto& entry : sorted) visit(entry, relative);
    if (has_rules) rules_.pop_back();
  }

  bool read_rules(const fs::path& absolute, const std::string& relative) {
    std::error_code ignored;
    if (!fs::is_regular_file(absolute / ".gitignore", ignored)) return false;
    try {
      rules_.push_back({relative, IgnoreRules(read_file(absolute / ".gitignore", 1 << 20))});
      return true;
    } catch (const Error& error) {
      result_.unreadable.push_back({shown_path(root_.shown, relative + ".gitignore"), error.what()});
      return false;
    }
  }

  void visit(const fs::directory_entry& entry, const std::string& relative) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) return;
    const std::string path = relative + name;
    std::error_code failed;
    if (entry.is_symlink(failed) && leads_out(entry, path)) return;
    const bool is_folder = entry.is_directory(failed);
    if (is_folder && name.ends_with(".hasten")) return;  // a knowledge base is not its own source
    if (ignored(path, is_folder)) return;
    if (is_folder) {
      folder(entry.path(), path + "/");
    } else if (const auto state = state_of(entry.path())) {
      ++root_.files;
      if (selected(path, include_, exclude_)) {
        result_.files.push_back({root_.canonical, root_.shown, path, state->size, state->mtime_ns});
      }
    }
  }

  bool leads_out(const fs::directory_entry& entry, const std::string& path) {
    std::error_code failed;
    const fs::path target = fs::canonical(entry.path(), failed);
    if (failed) {
      result_.unreadable.push_back({shown_path(root_.shown, path), "a link to nothing"});
      return true;
    }
    return !lies_under(target, root_.canonical);
  }

  bool ignored(const std::string& path, bool is_folder) const {
    for (auto rules = rules_.rbegin(); rules != rules_.rend(); ++rules) {
      const auto verdict = rules->rules.judge(path.substr(rules->folder.size()), is_folder);
      if (verdict != IgnoreRules::Verdict::none) return verdict == IgnoreRules::Verdict::ignored;
    }
    return false;
  }

  ScannedRoot& root_;
  std::span<const std::string> include_, exclude_;
  std::stop_token stop_;
  ScanResult& result_;
  std::vector<Rules> rules_;
  std::set<std::string> visited_;
};

std::string shown_form(const fs::path& typed) {
  std::string text = typed.lexically_normal().generic_string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text == "." ? "" : text;
}

ScannedRoot look_at(const fs::path& typed) {
  ScannedRoot root;
  root.shown = shown_form(typed);
  std::error_code failed;
  fs::path canonical = fs::canonical(typed, failed);
  root.missing = static_cast<bool>(failed);
  if (root.missing) canonical = fs::weakly_canonical(fs::absolute(typed), failed);
  root.canonical = canonical.string();
  while (root.canonical.size() > 1 && root.canonical.back() == '/') root.canonical.pop_back();
  root.is_file = !root.missing && !fs::is_directory(canonical, failed);
  return root;
}

void add_single_file(ScannedRoot& root, ScanResult& result) {
  const fs::path file(root.canonical);
  if (const auto state = state_of(file)) {
    root.files = 1;
    result.files.push_back({file.parent_path().string(), shown_form(fs::path(root.shown).parent_path()),
                            file.filename().string(), state->size, state->mtime_ns});
  } else {
    result.unreadable.push_back({root.shown, "neither a file nor a folder"});
  }
}

}  // namespace

bool selected(const std::string& path, std::span<const std::string> include,
              std::span<const std::string> exclude) {
  const auto matches = [&](const std::string& glob) { return glob_matches(glob, path); };
  const auto matches_it_or_a_folder = [&](const std::string& glob) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (glob_matches(glob, std::string_view(path).substr(0, slash))) return true;
    }
    return matches(glob);
  };
  return (include.empty() || std::any_of(include.begin(), include.end(), matches)) &&
         std::none_of(exclude.begin(), exclude.end(), matches_it_or_a_folder);
}

bool is_under(const std::string& path, const std::string& folder) {
  if (path == folder) return true;
  return !folder.empty() && path.size() > folder.size() && path.starts_with(folder) &&
         (folder.back() == '/' || path[folder.size()] == '/');
}

std::string shown_path(const std::string& shown, const std::string& path) {
  if (shown.empty()) return path;
  return shown.back() == '/' ? shown + path : shown + "/" + path;
}

ScanResult scan(std::span<const fs::path> paths, std::span<const std::string> include,
                std::span<const std::string> exclude, std::stop_token stop) {
  ScanResult result;
  for (const fs::path& typed : paths) {
    ScannedRoot root = look_at(typed);
    if (root.is_file) {
      add_single_file(root, result);
    } else if (!root.missing) {
      Walk(root, include, exclude, stop, result).run();
    }
    result.roots.push_back(std::move(root));
  }
  // Folders given together may hold each other: each file counts once, under the first.
  std::set<std::string> seen;
  std::erase_if(result.files,
                [&](const FoundFile& file) { return !seen.insert(file.absolute().string()).second; });
  return result;
}

}  // namespace hasten
