#include "stores/postgres/postgres_vectors.hpp"
#include "tests/stores/postgres/postgres_server.hpp"
#include "tests/stores/vector_store_suite.hpp"

namespace hasten {
namespace {

class PostgresUnderTest final : public StoreUnderTest {
 public:
  explicit PostgresUnderTest(std::shared_ptr<PostgresServer> server) : server_(std::move(server)) {}
  std::unique_ptr<VectorStore> connect() override {
    PostgresOptions options{.uri = server_->uri(), .schema = "suite \"of\" 向量"};
    options.timeout = options.connecting = std::chrono::seconds(2);
    return std::make_unique<PostgresVectors>(options);
  }
  bool has_server() const override { return true; }
  void kill() override { server_->kill(); }
  void start() override { server_->start(); }
  void pause() override { server_->pause(); }
  void resume() override { server_->resume(); }

 private:
  std::shared_ptr<PostgresServer> server_;
};

}  // namespace

std::unique_ptr<StoreUnderTest> make_store_under_test(std::string& why) {
  auto server = shared_postgres(why);
  if (!server) return nullptr;
  return std::make_unique<PostgresUnderTest>(std::move(server));
}

}  // namespace hasten
