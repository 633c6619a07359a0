#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "stores/local/local_store.hpp"

namespace hasten {

/// A folder of its own for each test, gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hasten-stores-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(Code::io, "no temporary folder");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The code that `function` throws, or "none".
template <class Function>
std::string code_thrown(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return std::string(to_string(error.code()));
  }
  return "none";
}

inline LocalStore open_store(const std::filesystem::path& folder,
                             LocalStore::Access access = LocalStore::Access::write) {
  return LocalStore(folder, access, "test");
}

inline DocumentRow make_document(const std::string& path, const std::string& text) {
  DocumentRow row;
  row.id = id_of({"document", path});
  row.root = "/root";
  row.shown = "root";
  row.path = path;
  row.size = text.size();
  row.mtime_ns = -5;
  row.content_hash = id_of({text}).to_string();
  row.format = "txt";
  row.metadata = {{"title", "Title of " + path}, {"year", std::int64_t{2026}}};
  row.pages = {0, text.size() / 2};
  return row;
}

/// A chunk of a document's text.
inline NodeRow make_node(std::uint32_t document, std::uint32_t group, const std::string& text,
                         Span span) {
  const std::string chunk = text.substr(span.from, span.size());
  NodeRow row;
  row.document = document;
  row.group = group;
  row.span = span;
  row.text_hash = id_of({chunk});
  row.id =
      id_of({std::to_string(document), std::to_string(group), std::to_string(span.from), chunk});
  return row;
}

/// A made-up vector that follows from the text's hash.
inline std::vector<float> make_vector(const Id& text_hash, std::size_t dim) {
  std::vector<float> values(dim);
  for (std::size_t i = 0; i < dim; ++i) {
    values[i] =
        static_cast<float>((text_hash.low >> (i % 32)) & 0xff) / 256 + static_cast<float>(i);
  }
  return values;
}

}  // namespace hasten
