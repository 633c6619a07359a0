#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/store.hpp"

namespace hasten {

/// How much there is of one kind of content, and a checksum of it that is the same in any order.
struct ContentDigest {
  std::uint64_t count = 0;
  std::uint64_t checksum = 0;
  bool operator==(const ContentDigest&) const = default;
};
/// By kind: "documents", "texts", "fields", "nodes <group>", "vectors". Equal knowledge bases have equal
/// ones, whichever stores they are in.
using ContentDigests = std::map<std::string, ContentDigest>;

struct BackupReport {
  std::uint64_t commit = 0;  ///< that it holds
  std::uint64_t documents = 0, nodes = 0, vectors = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  bool replaced = false;                         ///< an older one of the same knowledge base
  std::map<std::string, std::uint64_t> checked;  ///< in the copy, by kind, as VerifyReport::checked
  std::vector<std::string> notices;              ///< of segments that are damaged: they are built again
};

struct RestoreOptions {
  bool force = false;  ///< replace the knowledge base that is there
};

struct RestoreReport {
  std::uint64_t commit = 0;  ///< of the backup; what is restored has a later one of its own
  std::uint64_t documents = 0, nodes = 0, vectors = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  std::map<std::string, std::uint64_t> checked;
  std::vector<std::string> notices;
};

/// Which knowledge base: where its stores are, and the folder of a local one.
struct Location {
  std::filesystem::path folder;
  Stores stores;

  /// From a folder, or from JSON as Stores::parse() takes it.
  /// @param folder  of a local segment store that JSON names. @throws Error(invalid) as Stores::parse().
  static Location parse(std::string_view text, const std::filesystem::path& folder);
};

struct MigrateReport {
  std::uint64_t from_commit = 0;                                             ///< that was moved
  std::uint64_t commit = 0;                                                  ///< of the target, that holds it
  bool resumed = false;                                                      ///< an earlier run had begun
  std::uint64_t documents_copied = 0, nodes_copied = 0, vectors_copied = 0;  ///< by this run
  std::uint64_t vectors_sent = 0;  ///< nodes that the target's vector store has now, where it has one
  ContentDigests content;          ///< of both: they are equal
  double seconds = 0;
  std::vector<std::string> notices;
};

}  // namespace hasten
