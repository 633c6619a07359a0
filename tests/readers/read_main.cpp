// Prints the text that a reader gets from a file: `read_document FILE`.
#include <cstdio>

#include "hasten/error.hpp"
#include "readers/readers.hpp"

int main(int count, char** arguments) try {
  if (count != 2) {
    std::fputs("usage: read_document FILE\n", stderr);
    return 2;
  }
  const hasten::FileReader reader{hasten::ReadLimits{}};
  const hasten::Extracted extracted = reader.read(arguments[1]);
  std::fwrite(extracted.text.data(), 1, extracted.text.size(), stdout);
  return 0;
} catch (const hasten::Error& error) {
  std::fprintf(stderr, "error: %s: %s\n", std::string(to_string(error.code())).c_str(), error.what());
  return 1;
}
