#include "base/resources.hpp"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "hasten/error.hpp"

namespace hasten {
namespace fs = std::filesystem;

fs::path library_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&library_folder), &info) != 0 && info.dli_fname != nullptr) {
    std::error_code failed;
    const fs::path file = fs::canonical(info.dli_fname, failed);
    if (!failed) return file.parent_path();
  }
  return fs::canonical("/proc/self/exe").parent_path();
}

fs::path resource(std::string_view name) {
  // Beside the library in a build; under bin, libexec and share of the same prefix once installed,
  // with the library in lib or in lib/<architecture>.
  constexpr std::array<std::string_view, 9> kPlaces{"",
                                                    "hasten",
                                                    "../share/hasten",
                                                    "../../share/hasten",
                                                    "../bin",
                                                    "../../bin",
                                                    "../libexec/hasten",
                                                    "../../libexec/hasten",
                                                    "../lib/hasten"};
  std::vector<fs::path> folders;
  if (const char* data = std::getenv("HASTEN_DATA")) folders.emplace_back(data);
  const fs::path library = library_folder();
  for (const auto place : kPlaces) folders.push_back(library / place);
  for (const auto& folder : folders) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) return (folder / name).lexically_normal();
  }
  throw Error(Code::not_found, std::string(name) + " is not beside the library in " + library.string() +
                                   " nor under ../share/hasten or ../libexec/hasten there; set " +
                                   "HASTEN_DATA to the folder that holds it");
}

}  // namespace hasten
