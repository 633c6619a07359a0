#include "stores/postgres/vector_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace hasten::postgres {
namespace {

File open_or_make(const std::filesystem::path& path) {
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw_errno("open", path);
  return file;
}

}  // namespace

VectorCache::VectorCache(std::filesystem::path file, std::uint64_t dim)
    : path_(std::move(file)), file_(open_or_make(path_)), layout_{dim}, records_(file_, path_, layout_) {}

bool VectorCache::holds(std::uint64_t end) const {
  if (bytes_.load(std::memory_order_relaxed) >= end) return true;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_errno("read", path_);
  bytes_.store(static_cast<std::uint64_t>(status.st_size), std::memory_order_relaxed);
  return static_cast<std::uint64_t>(status.st_size) >= end;
}

std::optional<std::span<const float>> VectorCache::find(std::uint64_t number) const {
  if (!holds(layout_.offset(number + 1))) return std::nullopt;
  const auto record = records_.record(number);
  return record ? std::optional(record->vector) : std::nullopt;
}

void VectorCache::put(std::uint64_t number, const Id& text_hash, std::span<const float> values) {
  write_at(file_, layout_.offset(number), pack_records(layout_, {&text_hash, 1}, values), path_);
}

}  // namespace hasten::postgres
