#include "base/memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace hasten {

namespace {

std::uint64_t read_physical_memory() {
  std::uint64_t bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t limit = 0;  // "max" is no number
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace

std::uint64_t physical_memory_bytes() {
  static const std::uint64_t bytes = read_physical_memory();
  return bytes;
}

}  // namespace hasten
