#include "engine/stores/store_modules.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "base/resources.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBuild = HASTEN_STORE_MODULE_BUILD;
constexpr const char* kEntry = "hasten_store_module";

[[noreturn]] void refuse(std::string_view type, const std::string& why) {
  throw Error(Code::unavailable,
              fmt::format("a store of type '{0}' needs its module, which `cmake --install` puts beside the "
                          "library (component hasten-{0}): {1}",
                          type, why));
}

fs::path find_module(std::string_view type) try {
  return resource(fmt::format(HASTEN_STORE_MODULE_FILE, type));
} catch (const Error& error) {
  refuse(type, error.what());
}

const StoreModule& open_module(std::string_view type) {
  const fs::path file = find_module(type);
  // Everything is bound now, so that a symbol that is missing is said here and not by a crash later.
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse(type, fmt::format("it cannot be loaded: {}", ::dlerror()));
  const auto entry = reinterpret_cast<const StoreModule* (*)()>(::dlsym(library, kEntry));
  if (entry == nullptr) refuse(type, fmt::format("{} is none: it has no {}()", file.string(), kEntry));
  const StoreModule& module = *entry();
  if (module.build != kBuild) {
    refuse(type, fmt::format("{} is of another build, {}; this is {}", file.string(), module.build, kBuild));
  }
  return module;
}

}  // namespace

const StoreModule& store_module(std::string_view type) {
  static std::mutex mutex;
  static std::map<std::string, const StoreModule*, std::less<>> opened;
  const std::lock_guard lock(mutex);
  const auto found = opened.find(type);
  if (found != opened.end()) return *found->second;
  return *opened.emplace(type, &open_module(type)).first->second;
}

}  // namespace hasten
