#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/error.hpp"

namespace hasten::test {

/// A folder that is there as long as this is.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hasten-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The error that `action` ends with; Code::internal and "no error" where it ends well.
inline Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return {Code::internal, "no error"};
}

/// Cuts a text into chunks at random places.
inline std::vector<std::string> cut_anywhere(std::string_view text, std::mt19937& random) {
  std::vector<std::string> chunks;
  while (!text.empty()) {
    const std::size_t n = std::min<std::size_t>(text.size(), 1 + random() % 7);
    chunks.emplace_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return chunks;
}

}  // namespace hasten::test
