#include "segments/segment_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"
#include "segments/segment_format.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
namespace format = segment_format;

class SegmentFileTest : public ::testing::Test {
 protected:
  SegmentFileTest() {
    std::string folder = (fs::temp_directory_path() / "hasten-segment-XXXXXX").string();
    folder_ = mkdtemp(folder.data());
  }
  ~SegmentFileTest() override { fs::remove_all(folder_); }

  fs::path path(std::string_view name = "segment") const { return folder_ / name; }

  void put(std::string_view bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
  }

  fs::path folder_;
};

using Sections = std::vector<std::pair<std::string, std::string>>;

std::string random_bytes(std::mt19937_64& random, std::size_t n) {
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::uint64_t write(const fs::path& path, const Sections& sections) {
  SegmentFileWriter writer(path, "test");
  for (const auto& [name, bytes] : sections) {
    writer.begin(name);
    const auto all = std::as_bytes(std::span(bytes));
    writer.write(all.first(all.size() / 3));
    writer.write(all.subspan(all.size() / 3));
  }
  return writer.finish();
}

std::string text(const SegmentFile& file, std::string_view section) {
  const auto all = file.bytes(section, 0, file.size(section));
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

// The code of what it throws; nothing when it does not throw.
std::optional<Code> failure(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

Sections small_sections() {
  std::mt19937_64 random(3);
  return {{"a", random_bytes(random, 5)}, {"empty", ""}, {"b", random_bytes(random, 130)}};
}

TEST_F(SegmentFileTest, HoldsWhatWasWritten) {
  std::mt19937_64 random(1);
  Sections sections;
  for (std::size_t size : {0, 1, 63, 64, 65, 4031, 4032, 4095, 4096, 4097, 65536, 262144, 300000}) {
    sections.emplace_back(fmt::format("of_{}", size), random_bytes(random, size));
  }
  const auto bytes = write(path(), sections);
  EXPECT_EQ(bytes, fs::file_size(path()));
  EXPECT_FALSE(fs::exists(path("segment.part")));
  const SegmentFile file(path(), "test");
  EXPECT_EQ(file.file_bytes(), bytes);
  for (const auto& [name, want] : sections) {
    ASSERT_EQ(file.size(name), want.size());
    EXPECT_EQ(text(file, name), want) << name;
    if (want.empty()) continue;
    const auto at = reinterpret_cast<std::uintptr_t>(file.bytes(name, 0, 1).data());
    EXPECT_EQ(at % format::kAlignment, 0u) << name;
    const std::uint64_t from = random() % want.size(), n = random() % (want.size() - from + 1);
    const auto part = file.bytes(name, from, n);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(part.data()), part.size()), want.substr(from, n));
  }
  file.verify();
  EXPECT_FALSE(file.cut_short());
}

TEST_F(SegmentFileTest, ReadingGivesWhatMappingGives) {
  std::mt19937_64 random(4);
  const std::string want = random_bytes(random, 100'000);
  write(path(), {{"first", "xyz"}, {"all", want}});
  const SegmentFile file(path(), "test");
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t from = random() % want.size(),
                        n = random() % std::min<std::size_t>(want.size() - from, 9000) + 1;
    std::string got(n, ' ');
    file.fetch("all", from, n);
    file.read("all", from, std::as_writable_bytes(std::span(got)));
    ASSERT_EQ(got, want.substr(from, n)) << from << " " << n;
  }
  std::string two(2, ' ');
  const auto to = std::as_writable_bytes(std::span(two));
  EXPECT_EQ(failure([&] { file.read("all", want.size() - 1, to); }), Code::damaged);
  EXPECT_EQ(failure([&] { file.read("none", 0, to); }), Code::damaged);
  file.read("all", want.size(), {});
}

TEST_F(SegmentFileTest, WhatIsTouchedFirstIsReadAndThenMapped) {
  std::mt19937_64 random(6);
  const std::string want = random_bytes(random, 100'000);
  write(path(), {{"all", want}});
  const SegmentFile file(path(), "test");
  const Section section(file, "all");
  section.expect_scattered_reads();
  std::vector<std::byte> buffer(5000);
  for (int time = 0; time < 2; ++time) {
    const std::byte* const at = section.at_or_read(50'000, buffer.size(), buffer);
    EXPECT_EQ(at == buffer.data(), time == 0);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(at), buffer.size()),
              want.substr(50'000, buffer.size()));
  }
  EXPECT_EQ(failure([&] { section.at_or_read(want.size() - 1, 2, buffer); }), Code::damaged);
}

TEST_F(SegmentFileTest, ReadingFindsATurnedBit) {
  std::mt19937_64 random(5);
  write(path(), {{"all", random_bytes(random, 20'000)}});
  std::string bytes = read_file(path(), 1 << 20);
  bytes[10'000] = static_cast<char>(bytes[10'000] ^ 4);
  put(bytes);
  const SegmentFile file(path(), "test");
  std::string one(1, ' ');
  const auto to = std::as_writable_bytes(std::span(one));
  file.read("all", 100, to);
  EXPECT_EQ(failure([&] { file.read("all", 10'001, to); }), Code::damaged);
  EXPECT_EQ(failure([&] { file.read("all", 10'001, to); }), Code::damaged);
}

TEST_F(SegmentFileTest, WithoutSectionsIsAFile) {
  write(path(), {});
  const SegmentFile file(path(), "test");
  file.verify();
  EXPECT_EQ(file.size("a"), 0u);
  EXPECT_TRUE(file.bytes("a", 0, 0).empty());
}

TEST_F(SegmentFileTest, ReadingOutsideASectionIsAnError) {
  write(path(), small_sections());
  const SegmentFile file(path(), "test");
  const struct {
    std::string_view section;
    std::uint64_t offset, length;
  } kCases[] = {{"a", 0, 6},          {"a", 5, 1},          {"a", 6, 0},
                {"a", UINT64_MAX, 1}, {"a", 1, UINT64_MAX}, {"a", UINT64_MAX, UINT64_MAX},
                {"empty", 0, 1},      {"none", 0, 1}};
  for (const auto& c : kCases) {
    EXPECT_EQ(failure([&] { file.bytes(c.section, c.offset, c.length); }), Code::damaged)
        << c.section << " " << c.offset << " " << c.length;
  }
}

TEST_F(SegmentFileTest, NamesAreChecked) {
  const struct {
    std::vector<std::string> names;
    bool good;
  } kCases[] = {{{"a", "b"}, true},
                {{"a", "a"}, false},
                {{""}, false},
                {{std::string(31, 'x')}, true},
                {{std::string(32, 'x')}, false}};
  for (const auto& c : kCases) {
    SegmentFileWriter writer(path(), "test");
    const auto got = failure([&] {
      for (const auto& name : c.names) writer.begin(name);
    });
    EXPECT_EQ(got, c.good ? std::nullopt : std::optional(Code::invalid)) << c.names.front();
  }
  SegmentFileWriter writer(path(), "test");
  EXPECT_EQ(failure([&] { writer.write(std::as_bytes(std::span("x"))); }), Code::invalid);
  for (std::uint64_t i = 0; i < format::kSectionsMax; ++i) writer.begin(fmt::format("{}", i));
  EXPECT_EQ(failure([&] { writer.begin("one too many"); }), Code::invalid);
  EXPECT_EQ(failure([&] { SegmentFileWriter(path(), ""); }), Code::invalid);
}

TEST_F(SegmentFileTest, AnotherKindAndNoFileAreErrors) {
  EXPECT_EQ(failure([&] { SegmentFile(path(), "test"); }), Code::not_found);
  write(path(), small_sections());
  EXPECT_EQ(failure([&] { SegmentFile(path(), "other"); }), Code::damaged);
  EXPECT_EQ(failure([&] { SegmentFile(path(), "tes"); }), Code::damaged);
}

TEST_F(SegmentFileTest, CutAnywhereIsDamaged) {
  write(path(), small_sections());
  for (auto n = fs::file_size(path()); n-- > 0;) {
    fs::resize_file(path(), n);
    EXPECT_EQ(failure([&] { SegmentFile(path(), "test"); }), Code::damaged) << "cut to " << n;
  }
}

TEST_F(SegmentFileTest, ALongerFileIsDamaged) {
  const auto bytes = write(path(), small_sections());
  for (int more : {1, 48, 64}) {
    fs::resize_file(path(), bytes + more);
    EXPECT_EQ(failure([&] { SegmentFile(path(), "test"); }), Code::damaged) << more << " more";
  }
}

TEST_F(SegmentFileTest, EveryFlippedBitIsFound) {
  const auto sections = small_sections();
  write(path(), sections);
  const std::string whole = read_file(path());
  const File file = open_for_update(path());
  const auto put_byte = [&](std::size_t at, int byte) {
    const auto value = static_cast<std::byte>(byte);
    write_at(file, at, {&value, 1}, path());
  };
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    put_byte(bit / 8, whole[bit / 8] ^ (1 << bit % 8));
    const auto read_all = [&] {
      const SegmentFile segment(path(), "test");
      for (const auto& [name, bytes] : sections) text(segment, name);
    };
    ASSERT_EQ(failure(read_all), Code::damaged) << "bit " << bit << " of " << 8 * whole.size();
    put_byte(bit / 8, whole[bit / 8]);
  }
}

TEST_F(SegmentFileTest, OnlyTheDamagedBlockIsLost) {
  std::mt19937_64 random(4);
  const std::string data = random_bytes(random, 5 * format::kBlockBytes);
  write(path(), {{"data", data}});
  std::string bytes = read_file(path());
  bytes[3 * format::kBlockBytes + 17] ^= 1;
  put(bytes);
  const SegmentFile file(path(), "test");
  const auto read = [&](std::uint64_t block) { file.bytes("data", block * format::kBlockBytes, 100); };
  for (std::uint64_t block : {0, 1, 2, 4}) EXPECT_EQ(failure([&] { read(block); }), std::nullopt);
  for (int again = 0; again < 2; ++again) {
    try {
      read(3);
      FAIL() << "a damaged block was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged);
      EXPECT_NE(std::string(error.what()).find("block 3"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("'data'"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path().string()), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(failure([&] { file.verify(); }), Code::damaged);
}

TEST_F(SegmentFileTest, VerifyLooksAgainAtWhatWasRead) {
  write(path(), {{"data", std::string(1000, 'x')}});
  const SegmentFile file(path(), "test");
  text(file, "data");
  std::fstream(path(), std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('y');
  EXPECT_EQ(failure([&] { file.verify(); }), Code::damaged);
}

TEST_F(SegmentFileTest, CutShortWhileMappedIsSeen) {
  write(path(), {{"data", std::string(100000, 'x')}});
  const SegmentFile file(path(), "test");
  EXPECT_FALSE(file.cut_short());
  fs::resize_file(path(), 5000);
  EXPECT_TRUE(file.cut_short());
}

// Headers, tables and footers whose checksums are right and whose numbers are not.
TEST_F(SegmentFileTest, ForgedNumbersAreDamaged) {
  write(path(), small_sections());
  const std::string whole = read_file(path());
  const auto forge =
      [&](const std::function<void(format::Header&, format::SectionRow*, format::Footer&)>& change) {
        std::string bytes = whole;
        format::Header header;
        format::Footer footer;
        std::memcpy(&header, bytes.data(), sizeof header);
        std::memcpy(&footer, bytes.data() + bytes.size() - sizeof footer, sizeof footer);
        std::vector<format::SectionRow> table(footer.sections);
        char* const table_at = bytes.data() + footer.table_offset;
        std::memcpy(table.data(), table_at, table.size() * sizeof(format::SectionRow));
        change(header, table.data(), footer);
        std::memcpy(table_at, table.data(), table.size() * sizeof(format::SectionRow));
        footer.table_checksum = checksum(std::as_bytes(std::span(table)));
        header.checksum = checksum(std::as_bytes(std::span(&header, 1)).first(56));
        footer.checksum = checksum(std::as_bytes(std::span(&footer, 1)).first(56));
        std::memcpy(bytes.data(), &header, sizeof header);
        std::memcpy(bytes.data() + bytes.size() - sizeof footer, &footer, sizeof footer);
        put(bytes);
        return failure([&] { SegmentFile(path(), "test"); });
      };
  using H = format::Header;
  using S = format::SectionRow;
  using F = format::Footer;
  EXPECT_EQ(forge([](H&, S*, F&) {}), std::nullopt);
  EXPECT_EQ(forge([](H& h, S*, F&) { h.version = 2; }), Code::mismatch);
  EXPECT_EQ(forge([](H& h, S*, F&) { h.version = 0; }), Code::damaged);
  EXPECT_EQ(forge([](H& h, S*, F&) { h.block_bytes = 0; }), Code::damaged);
  EXPECT_EQ(forge([](H& h, S*, F&) { h.magic[0] = 'h'; }), Code::damaged);
  EXPECT_EQ(forge([](H& h, S*, F&) { std::ranges::fill(h.kind, 'x'); }), Code::damaged);
  for (std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{1} << 62,
                          std::uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 63}) {
    EXPECT_EQ(forge([&](H&, S*, F& f) { f.sections_end = n; }), Code::damaged) << n;
    EXPECT_EQ(forge([&](H&, S*, F& f) { f.table_offset = n; }), Code::damaged) << n;
    EXPECT_EQ(forge([&](H&, S*, F& f) { f.sections = n; }), Code::damaged) << n;
    EXPECT_EQ(forge([&](H&, S*, F& f) { f.file_bytes = n; }), Code::damaged) << n;
    if (n != 64) {
      EXPECT_EQ(forge([&](H&, S* s, F&) { s[2].offset = n; }), Code::damaged) << n;
    }
    if (n > 130) {
      EXPECT_EQ(forge([&](H&, S* s, F&) { s[2].length = n; }), Code::damaged) << n;
    }
  }
}

TEST_F(SegmentFileTest, WhatIsSmallEndsInMemoryWithTheBytesOfTheFile) {
  std::mt19937_64 random(5);
  for (const std::size_t size : {0UL, 1UL, 4096UL, 100'000UL, 255'000UL, 300'000UL}) {
    const Sections sections{{"a", random_bytes(random, size)}, {"b", "tail"}};
    const std::uint64_t bytes = write(path(), sections);
    for (const std::size_t most : {bytes - 1, bytes}) {
      SegmentFileWriter writer(path("image"), "test");
      for (const auto& [name, content] : sections) {
        writer.begin(name);
        writer.write(std::as_bytes(std::span(content)));
      }
      const auto image = writer.finish_in_memory(most);
      ASSERT_EQ(image.has_value(), bytes <= most && size < 256'000) << size;
      if (!image) {
        EXPECT_EQ(writer.finish(), bytes);
        EXPECT_TRUE(read_file(path("image")) == read_file(path())) << size;
        fs::remove(path("image"));
        continue;
      }
      EXPECT_FALSE(fs::exists(path("image")));
      const std::string whole(reinterpret_cast<const char*>(image->data()), image->size());
      EXPECT_TRUE(whole == read_file(path())) << size;
      const SegmentFile file("an image", *image, "test");
      EXPECT_TRUE(text(file, "a") == sections[0].second);
      EXPECT_EQ(text(file, "b"), "tail");
      std::string part(3, ' ');
      file.read("b", 1, std::as_writable_bytes(std::span(part)));
      EXPECT_EQ(part, "ail");
      file.verify();
      EXPECT_FALSE(file.cut_short());
    }
  }
}

TEST_F(SegmentFileTest, EveryFlippedByteOfAnImageIsFound) {
  write(path(), small_sections());
  const std::string whole = read_file(path());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
    EXPECT_TRUE(failure([&] { SegmentFile("an image", std::as_bytes(std::span(bytes)), "test").verify(); }))
        << i;
  }
}

TEST_F(SegmentFileTest, AnUnfinishedFileIsGone) {
  {
    SegmentFileWriter writer(path(), "test");
    writer.begin("data");
    const std::string data(300000, 'x');
    writer.write(std::as_bytes(std::span(data)));
    EXPECT_TRUE(fs::exists(path("segment.part")));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SegmentFileTest, NoSpaceLeftIsFullAndLeavesNothing) {
  fs::create_symlink("/dev/full", path("segment.part"));
  EXPECT_EQ(failure([&] { write(path(), {{"data", std::string(200000, 'x')}}); }), Code::full);
  EXPECT_TRUE(fs::is_empty(folder_));
}

// Every write of the file is made to fail once, by a limit on file sizes.
TEST_F(SegmentFileTest, EachFailedWriteIsFullAndLeavesTheOldFile) {
  const Sections sections{{"data", std::string(600'000, 'x')}};
  write(path(), {{"data", "old"}});
  const std::string old = read_file(path());
  write(path("whole"), sections);
  const auto whole = fs::file_size(path("whole"));
  fs::remove(path("whole"));
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  for (std::uint64_t bytes = 0; bytes < whole; bytes += bytes + 65536 < whole ? 65536 : 8) {
    const rlimit lowered{bytes, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lowered);
    const auto got = failure([&] { write(path(), sections); });
    setrlimit(RLIMIT_FSIZE, &limit);
    EXPECT_EQ(got, Code::full) << "limit " << bytes;
    EXPECT_FALSE(fs::exists(path("segment.part")));
    EXPECT_EQ(read_file(path()), old);
  }
  std::signal(SIGXFSZ, before);
  write(path(), sections);
  SegmentFile(path(), "test").verify();
}

TEST_F(SegmentFileTest, ANameThatIsTakenByAFolderIsAnError) {
  fs::create_directories(path() / "something");
  EXPECT_EQ(failure([&] { write(path(), small_sections()); }), Code::io);
  EXPECT_FALSE(fs::exists(path("segment.part")));
  EXPECT_EQ(failure([&] { SegmentFile(path(), "test"); }), Code::io);
  EXPECT_EQ(failure([&] { write(path("no/folder"), {}); }), Code::not_found);
}

TEST_F(SegmentFileTest, ASectionLookedUpOnceIsCheckedAllTheSame) {
  std::mt19937_64 random(6);
  const std::string data = random_bytes(random, 5 * format::kBlockBytes);
  write(path(), {{"before", "12345"}, {"data", data}});
  std::string bytes = read_file(path());
  bytes[bytes.find(data.substr(3 * format::kBlockBytes, 64))] ^= 1;
  put(bytes);
  const SegmentFile file(path(), "test");
  const Section section(file, "data");
  ASSERT_EQ(section.size(), data.size());
  EXPECT_EQ(Section(file, "none").size(), 0u);
  for (int again = 0; again < 2; ++again) {
    for (std::uint64_t at : {0, 1, 4000, 4095, 4096, 8000}) {
      EXPECT_EQ(std::memcmp(section.at(at, 100), data.data() + at, 100), 0);
    }
    EXPECT_EQ(failure([&] { section.at(3 * format::kBlockBytes, 1); }), Code::damaged);
    EXPECT_EQ(failure([&] { section.at(data.size() - 10, 11); }), Code::damaged);
    EXPECT_EQ(failure([&] { section.at(UINT64_MAX, 2); }), Code::damaged);
    EXPECT_EQ(failure([&] { Section(file, "none").at(0, 1); }), Code::damaged);
  }
  EXPECT_EQ(*section.array<char>(17), data[17]);
}

TEST_F(SegmentFileTest, ManyThreadsReadAtOnce) {
  std::mt19937_64 random(5);
  const std::string data = random_bytes(random, 40 * format::kBlockBytes);
  write(path(), {{"data", data}});
  const SegmentFile file(path(), "test");
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) {
      threads.emplace_back([&, seed] {
        std::mt19937_64 mine(seed);
        for (int i = 0; i < 300; ++i) {
          const std::uint64_t from = mine() % data.size(), n = mine() % 1000 % (data.size() - from);
          const auto got = file.bytes("data", from, n);
          if (n > 0 && std::memcmp(got.data(), data.data() + from, n) != 0) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hasten
