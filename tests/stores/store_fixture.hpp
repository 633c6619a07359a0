#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <utility>

#include "base/files.hpp"
#include "stores/local/local_store.hpp"
#include "stores/local/sqlite.hpp"
#include "tests/stores/store_rows.hpp"

namespace hasten {

inline LocalStore open_store(const std::filesystem::path& folder,
                             LocalStore::Access access = LocalStore::Access::write) {
  return LocalStore(folder, access, "test");
}

/// A store in `folder` that says it is of another format.
inline void make_with_version(const std::filesystem::path& folder, int version) {
  open_store(folder);
  sqlite::Connection connection(folder / "truth.db", sqlite::Connection::Mode::write);
  connection.execute("PRAGMA user_version=" + std::to_string(version));
}

class StoreTest : public testing::Test {
 protected:
  std::filesystem::path folder() const { return temporary_.path() / "kb"; }

  void reopen(LocalStore& store) const {
    { const LocalStore ended = std::move(store); }
    store = open_store(folder());
  }

  /// Whether any file of the store holds these bytes.
  bool folder_holds(const std::string& bytes) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
      if (!entry.is_regular_file()) continue;
      if (read_file(entry.path()).find(bytes) != std::string::npos) return true;
    }
    return false;
  }

 private:
  TemporaryFolder temporary_;
};

}  // namespace hasten
