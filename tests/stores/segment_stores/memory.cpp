#include "stores/memory/memory_store.hpp"
#include "tests/stores/segment_store_suite/suite.hpp"

namespace hasten {
namespace {

class MemoryUnderTest final : public SegmentStoreUnderTest {
 public:
  std::unique_ptr<SegmentStore> open(SegmentStore::Access) override { return open_memory_store("test"); }
  bool stays() const override { return false; }
};

}  // namespace

std::unique_ptr<SegmentStoreUnderTest> make_segment_store_under_test(std::string&) {
  return std::make_unique<MemoryUnderTest>();
}

}  // namespace hasten
