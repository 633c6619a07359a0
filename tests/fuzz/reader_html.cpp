#include "reading.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  hasten::fuzz_format("html", {reinterpret_cast<const char*>(data), size});
  return 0;
}
