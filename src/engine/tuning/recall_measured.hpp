#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/segment_store.hpp"
#include "engine/snapshot.hpp"
#include "indexes/recall.hpp"

namespace hasten {

/// How large the pools of walks through a group's graphs must be: measured on questions made from its
/// own texts, without a filter and with the worse of two that a tenth of the documents passes. Of a vector
/// store: how many candidates it must be asked for.
struct RecallMeasured {
  /// For the best 10 and for the best 100, as the two kinds of search ask for.
  struct Curves {
    std::size_t k = 0;
    std::vector<RecallPoint> all, filtered;
  };
  std::vector<Curves> curves;
  std::size_t questions = 0;
  std::string files;  ///< of the segments that were measured, a line each; or which vector store

  /// The pool for k hits at this recall; nothing: scan.
  std::optional<std::size_t> pool(std::size_t k, double recall, bool filtered) const;
  /// The recall of k hits with a pool of this size; nothing: smaller ones were not measured.
  std::optional<double> recall(std::size_t k, std::size_t pool, bool filtered) const;
};

/// The setting under which a group's RecallMeasured is kept.
std::string recall_setting(std::uint32_t group);
/// That for its vector store.
std::string store_recall_setting(std::uint32_t group);

/// As the setting holds it.
std::string to_text(const RecallMeasured& measured);

/// The files of the group's graphs, lists and codes, a line each: what was measured holds for them alone.
std::string indexed_files(const GroupSnapshot& group);

/// Keeps what was read of these settings. Thread-safe.
class RecallSettings {
 public:
  /// What was measured of a group; null where it has no index, or another one than was measured.
  /// @throws Error(damaged)
  std::shared_ptr<const RecallMeasured> find(const SegmentStore::Reading& reading,
                                             const GroupSnapshot& group);
  /// What was measured of a group's vector store; null where nothing was, or of another one.
  /// @param measured_as  RemoteVectors::measured_as(). @throws Error(damaged)
  std::shared_ptr<const RecallMeasured> find_store(const SegmentStore::Reading& reading,
                                                   const GroupSnapshot& group, std::string_view measured_as);

 private:
  struct Read {
    std::string text;
    std::shared_ptr<const RecallMeasured> measured;
  };
  std::shared_ptr<const RecallMeasured> find(const SegmentStore::Reading& reading, const std::string& setting,
                                             std::string_view files);

  std::mutex mutex_;
  std::map<std::string, Read> read_;  // by setting
};

}  // namespace hasten
