#pragma once

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/segment_store.hpp"

namespace hasten {

/// A folder of its own for each test, gone afterwards.
class TemporaryFolder {
 public:
  /// In memory where there is such a place: the tests sync thousands of times.
  TemporaryFolder()
      : TemporaryFolder(::access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                        : std::filesystem::temp_directory_path()) {}
  explicit TemporaryFolder(const std::filesystem::path& within) {
    std::string name = (within / "hasten-stores-XXXXXX").string();
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
inline NodeRow make_node(std::uint32_t document, std::uint32_t group, const std::string& text, Span span) {
  const std::string chunk = text.substr(span.from, span.size());
  NodeRow row;
  row.document = document;
  row.group = group;
  row.span = span;
  row.text_hash = id_of({chunk});
  row.id = id_of({std::to_string(document), std::to_string(group), std::to_string(span.from), chunk});
  return row;
}

/// A made-up vector that follows from the text's hash.
inline std::vector<float> make_vector(const Id& text_hash, std::size_t dim) {
  std::vector<float> values(dim);
  for (std::size_t i = 0; i < dim; ++i) {
    values[i] = static_cast<float>((text_hash.low >> (i % 32)) & 0xff) / 256 + static_cast<float>(i);
  }
  return values;
}

inline bool operator==(const NodeRow& a, const NodeRow& b) {
  return a.number == b.number && a.id == b.id && a.document == b.document && a.group == b.group &&
         a.span == b.span && a.text_hash == b.text_hash && a.parent == b.parent && a.ordinal == b.ordinal &&
         a.derived == b.derived && a.text == b.text && a.metadata == b.metadata;
}

constexpr std::size_t kDim = 5;

inline std::vector<float> vector_of(const SegmentStore& store, std::string_view model, std::uint64_t row) {
  const std::span<const float> vector = store.vector(model, row);
  return {vector.begin(), vector.end()};
}

/// A document with two chunks, and the group they are in, committed.
struct Made {
  std::uint32_t group = 0;
  std::uint32_t document = 0;
  std::vector<NodeRow> nodes;
};

inline Made put(SegmentStore& store, const std::string& path, const std::string& text) {
  auto writing = store.write();
  Made made;
  const std::vector<GroupRow> groups = writing->groups();
  made.group =
      groups.empty() ? writing->put_group({0, "MediumChunk", "root", "sentence(256,25)"}) : groups[0].id;
  made.document = writing->put_document(make_document(path, text), &text);
  const std::size_t half = text.size() / 2;
  made.nodes = {make_node(made.document, made.group, text, {0, half}),
                make_node(made.document, made.group, text, {half, text.size()})};
  writing->add_nodes(made.nodes);
  writing->commit();
  return made;
}

/// Gives every text of every group that lacks one a vector of the model, committed.
inline void embed_missing(SegmentStore& store, const std::string& model) {
  std::vector<std::uint32_t> groups;
  std::vector<Id> hashes;
  {
    const auto reading = store.read();
    for (const GroupRow& group : reading->groups()) groups.push_back(group.id);
    for (const PendingText& text : reading->texts_without_vectors(model, groups)) {
      hashes.push_back(text.text_hash);
    }
  }
  std::vector<float> values;
  for (const Id& hash : hashes) {
    const std::vector<float> vector = make_vector(hash, kDim);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  const std::uint64_t first = store.append_vectors(model, kDim, hashes, values);
  auto writing = store.write();
  writing->add_vectors(model, hashes, first);
  writing->commit();
}

inline void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace hasten
