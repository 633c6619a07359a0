#include "stores/local/local_store.hpp"
#include "tests/stores/segment_store_suite/suite.hpp"
#include "tests/stores/store_rows.hpp"

namespace hasten {
namespace {

class LocalUnderTest final : public SegmentStoreUnderTest {
 public:
  std::unique_ptr<SegmentStore> open(SegmentStore::Access access) override {
    return std::make_unique<LocalStore>(folder_.path() / "kb", access, "test");
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

std::unique_ptr<SegmentStoreUnderTest> make_segment_store_under_test(std::string&) {
  return std::make_unique<LocalUnderTest>();
}

}  // namespace hasten
