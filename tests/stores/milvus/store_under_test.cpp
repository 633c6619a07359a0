#include "tests/stores/milvus_servers.hpp"

namespace hasten {

std::unique_ptr<StoreUnderTest> make_store_under_test(std::string& why) { return RealMilvus::make(why); }

}  // namespace hasten
