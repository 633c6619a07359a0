#include "tests/stores/chroma/server.hpp"
#include "tests/stores/vector_store_suite.hpp"

namespace hasten {
namespace {

class ChromaUnderTest final : public StoreUnderTest {
 public:
  explicit ChromaUnderTest(const std::filesystem::path& programs) : server_(programs) {}
  std::unique_ptr<VectorStore> connect() override { return std::make_unique<ChromaStore>(server_.options()); }
  bool has_server() const override { return true; }
  void kill() override { server_.process().kill(); }
  void start() override { server_.process().start(); }
  void pause() override { server_.process().pause(); }
  void resume() override { server_.process().resume(); }
  double recall_min() const override { return 0.99; }

 private:
  test::ChromaServer server_;
};

}  // namespace

std::unique_ptr<StoreUnderTest> make_store_under_test(std::string& why) {
  const auto programs = test::chroma_programs(why);
  if (programs.empty()) return nullptr;
  return std::make_unique<ChromaUnderTest>(programs);
}

}  // namespace hasten
