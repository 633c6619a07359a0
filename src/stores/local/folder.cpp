#include "stores/local/folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "base/files.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 24> kNetworkTypes = {
    "nfs",          "nfs4",        "cifs",        "smb3",          "smbfs",          "afs",
    "ncpfs",        "ceph",        "lustre",      "gpfs",          "beegfs",         "glusterfs",
    "davfs",        "fuse.sshfs",  "fuse.rclone", "fuse.s3fs",     "fuse.ceph",      "fuse.glusterfs",
    "fuse.gcsfuse", "fuse.davfs2", "fuse.goofys", "fuse.smbnetfs", "fuse.curlftpfs", "fuse.juicefs"};

/// The names that a knowledge base's folder has; "truth.db" stands for its companions too.
constexpr std::array<std::string_view, 6> kOwnNames = {"writer.lock", "vectors", "segments",
                                                       "kv",          "cache",   "hasten.toml"};

/// Mount points have blanks and backslashes as octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool within(std::string_view path, std::string_view mount_point) {
  if (mount_point == "/") return true;
  return path.starts_with(mount_point) &&
         (path.size() == mount_point.size() || path[mount_point.size()] == '/');
}

bool is_own(const std::string& name) {
  return name.starts_with("truth.db") ||
         std::find(kOwnNames.begin(), kOwnNames.end(), name) != kOwnNames.end();
}

std::string read_mounts() {
  try {
    return read_file("/proc/self/mountinfo");
  } catch (const Error&) {
    return {};  // a system without it: nothing can be said
  }
}

}  // namespace

std::optional<std::string> network_file_system(std::string_view mounts, const fs::path& path) {
  std::istringstream lines{std::string(mounts)};
  std::string longest, type;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, mount_point, word;
    words >> id >> parent >> device >> root >> mount_point;
    while (words >> word && word != "-") {
    }
    if (!(words >> word)) continue;
    mount_point = unescape(mount_point);
    // A later mount on the same point hides the earlier one.
    if (!within(path.native(), mount_point) || mount_point.size() < longest.size()) continue;
    longest = mount_point;
    type = word;
  }
  const bool network = std::find(kNetworkTypes.begin(), kNetworkTypes.end(), type) != kNetworkTypes.end();
  return network ? std::optional(type) : std::nullopt;
}

void refuse_network_file_system(const fs::path& folder) {
  const fs::path path = fs::weakly_canonical(folder);
  const std::optional<std::string> type = network_file_system(read_mounts(), path);
  if (!type) return;
  throw Error(Code::refused,
              fmt::format("{} is on a network file system ({}), where locks and shared memory do "
                          "not hold between machines; keep the knowledge base on a local disk",
                          path.string(), *type));
}

void refuse_foreign_folder(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  if (!fs::is_directory(folder)) {
    throw Error(Code::refused, folder.string() + " is a file; a knowledge base is a folder");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw Error(Code::refused, fmt::format("{} cannot be written ({}); open it for reading, or copy "
                                           "it to where you may write",
                                           folder.string(), std::generic_category().message(errno)));
  }
  if (fs::exists(folder / "truth.db")) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_own(entry.path().filename().string())) continue;
    throw Error(Code::refused,
                fmt::format("{} is no knowledge base and holds other things ({}); name a new or an "
                            "empty folder",
                            folder.string(), entry.path().filename().string()));
  }
}

void remove_orphans(const fs::path& folder, const std::set<std::string>& known) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (known.contains(at->path().filename().string()) || !at->is_regular_file(ignored)) continue;
    fs::remove(at->path(), ignored);
  }
}

}  // namespace hasten
