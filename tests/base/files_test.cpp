#include "base/files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/hashing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

Code code_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::internal;
}

TEST_F(Files, AtomicWriteIsWholeAndReplaces) {
  const fs::path file = folder_ / "a.txt";
  write_file_atomically(file, "one");
  write_file_atomically(file, "two");
  EXPECT_EQ(read_file(file), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Files, AtomicWriteThatFailsLeavesTheOldFileAndNoPart) {
  const fs::path file = folder_ / "a.txt";
  write_file_atomically(file, "old");
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Code code = code_of([&] { write_file_atomically(file, std::string(1 << 20, 'x')); });
    ::_exit(code == Code::full ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_FALSE(fs::exists(folder_ / "a.txt.part"));
}

TEST_F(Files, ErrorsNameTheirKind) {
  EXPECT_EQ(code_of([&] { read_file(folder_ / "none"); }), Code::not_found);
  EXPECT_EQ(code_of([&] { read_file(folder_); }), Code::io);
  write_file_atomically(folder_ / "big", std::string(100, 'x'));
  EXPECT_EQ(code_of([&] { read_file(folder_ / "big", 99); }), Code::too_large);
  EXPECT_EQ(read_file(folder_ / "big", 100).size(), 100U);
}

TEST_F(Files, MappingSeesThatItsFileWasCutShort) {
  const fs::path file = folder_ / "m";
  write_file_atomically(file, std::string(10'000, 'x'));
  const MappedFile mapped(file);
  EXPECT_EQ(mapped.bytes().size(), 10'000U);
  EXPECT_FALSE(mapped.cut_short());
  fs::resize_file(file, 9'999);
  EXPECT_TRUE(mapped.cut_short());
}

TEST_F(Files, MappingOutlivesTheName) {
  const fs::path file = folder_ / "m";
  write_file_atomically(file, "still here");
  const MappedFile mapped(file);
  fs::remove(file);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped.bytes().data()), 10), "still here");
}

TEST_F(Files, BytesInMemoryStandForAFile) {
  for (const std::size_t size : {0UL, 1UL, 64UL, 100'001UL}) {
    std::vector<std::byte> content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::byte>(i * 31);
    MappedFile held("an image", content);
    const MappedFile moved = std::move(held);
    EXPECT_TRUE(std::ranges::equal(moved.bytes(), content));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(moved.bytes().data()) % 64, 0U);
    EXPECT_FALSE(moved.cut_short());
    moved.fetch(0, size);
    moved.expect_scattered_reads(0, size);
    std::vector<std::byte> part(size / 2);
    moved.read(size - part.size(), part);
    EXPECT_TRUE(std::ranges::equal(part, std::span(content).last(part.size())));
    EXPECT_THROW(moved.read(size - part.size() + 1, part), Error) << size;
  }
}

TEST_F(Files, LockNamesItsOwnerAndACrashReleasesIt) {
  const fs::path file = folder_ / "lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock = FileLock::acquire(file, "ingest");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  try {
    FileLock::acquire(file, "compact");
    FAIL() << "the lock was given twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::locked);
    EXPECT_NE(std::string(error.what()).find("ingest (process " + std::to_string(child)), std::string::npos);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(FileLock::acquire(file, "compact"));
}

TEST_F(Files, Sha256OfKnownTexts) {
  write_file_atomically(folder_ / "abc", "abc");
  constexpr std::string_view kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(sha256_hex("abc"), kAbc);
  EXPECT_EQ(sha256_file(folder_ / "abc"), kAbc);
}

}  // namespace
}  // namespace hasten
