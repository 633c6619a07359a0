#pragma once

#include <gtest/gtest.h>

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

/// What the suite runs in: a test a new store.
class SegmentStoreSuite : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    under_ = make_segment_store_under_test(why);
    if (!under_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }
  SegmentStore* open() {
    store_ = under_->open();
    return store_.get();
  }
  /// Where the store stays; else it goes on as it is.
  void reopen() {
    if (!under_->stays()) return;
    store_.reset();
    store_ = under_->open();
  }

  std::unique_ptr<SegmentStoreUnderTest> under_;
  std::unique_ptr<SegmentStore> store_;
};

}  // namespace hasten
