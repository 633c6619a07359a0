#include "tests/stores/milvus_servers.hpp"

namespace hasten {

std::unique_ptr<StoreUnderTest> make_store_under_test(std::string& why) { return MilvusLite::make(why); }

}  // namespace hasten
