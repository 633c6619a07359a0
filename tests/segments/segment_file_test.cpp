#include "segments/segment_file.hpp"

#include <gtest/gtest.h>
namespace hasten {
namespace {
TEST(SegmentFile, Smoke) {
  auto p = std::filesystem::temp_directory_path() / "hasten-seg-smoke";
  {
    SegmentFileWriter w(p, "words");
    w.begin("a");
    std::string s(200000, 'x');
    w.write(std::as_bytes(std::span(s)));
    w.begin("b");
    w.finish();
  }
  SegmentFile f(p, "words");
  f.verify();
  EXPECT_EQ(f.size("a"), 200000u);
  EXPECT_EQ(f.bytes("a", 199999, 1).size(), 1u);
  std::filesystem::remove(p);
}
}  // namespace
}  // namespace hasten
