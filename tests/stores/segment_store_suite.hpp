#pragma once

#include <memory>
#include <string>

#include "core/segment_store.hpp"

namespace hasten {

/// An empty store that the suite runs against.
class SegmentStoreUnderTest {
 public:
  virtual ~SegmentStoreUnderTest() = default;
  /// The store, made with Access::write where it is not there yet.
  virtual std::unique_ptr<SegmentStore> open(SegmentStore::Access access = SegmentStore::Access::write) = 0;

  /// Whether what was committed is there when it is opened again, and others can open it meanwhile.
  virtual bool stays() const { return true; }
  /// Whether a compaction gives vectors other rows.
  virtual bool moves_vectors() const { return true; }
  /// How many the comparison with plain maps takes.
  virtual int random_steps() const { return 10'000; }
};

/// A new one, by the file that knows the store. Null where it cannot be had here: every test is then skipped
/// with `why`.
std::unique_ptr<SegmentStoreUnderTest> make_segment_store_under_test(std::string& why);

}  // namespace hasten
