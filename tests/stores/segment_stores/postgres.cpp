#include "stores/postgres/postgres_store.hpp"
#include "tests/stores/postgres/postgres_server.hpp"
#include "tests/stores/segment_store_suite/suite.hpp"
#include "tests/stores/store_rows.hpp"

namespace hasten {
namespace {

class PostgresUnderTest final : public SegmentStoreUnderTest {
 public:
  explicit PostgresUnderTest(std::shared_ptr<PostgresServer> server) : server_(std::move(server)) {
    static int stores = 0;
    schema_ = "truth \"of\" 知识 " + std::to_string(++stores);
  }
  /// Each time as on another host: with nothing of it there.
  std::unique_ptr<SegmentStore> open(SegmentStore::Access access) override {
    const nlohmann::json kwargs = {
        {"uri", server_->uri()},
        {"schema", schema_},
        {"cache", (folder_.path() / std::to_string(++hosts_)).string()},
    };
    return open_postgres_store(kwargs, "store.kwargs", access, "test");
  }
  bool moves_vectors() const override { return false; }
  int random_steps() const override { return 3'000; }

 private:
  std::shared_ptr<PostgresServer> server_;
  std::string schema_;
  TemporaryFolder folder_;
  int hosts_ = 0;
};

}  // namespace

std::unique_ptr<SegmentStoreUnderTest> make_segment_store_under_test(std::string& why) {
  auto server = shared_postgres(why);
  if (!server) return nullptr;
  return std::make_unique<PostgresUnderTest>(std::move(server));
}

}  // namespace hasten
