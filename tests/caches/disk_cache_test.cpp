#include "caches/disk_cache.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/files.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

constexpr std::uint64_t kHeaderBytes = 32;
constexpr std::uint64_t kPlenty = 1 << 20;

std::string value_of(std::uint64_t n, std::size_t bytes = 100) {
  return std::string(bytes, static_cast<char>('a' + n % 26));
}

TEST(DiskCache, GivesBackWhatWasPut) {
  const TemporaryFolder folder;
  DiskCache cache(folder / "cache/tokens", kPlenty);
  EXPECT_FALSE(cache.get({1, 2}));
  cache.put({1, 2}, "one");
  cache.put({2, 1}, "");
  EXPECT_EQ(cache.get({1, 2}), "one");
  EXPECT_EQ(cache.get({2, 1}), "");
  cache.put({1, 2}, "another");
  EXPECT_EQ(DiskCache(folder / "cache/tokens", kPlenty).get({1, 2}), "another");
}

TEST(DiskCache, AFlippedByteAnywhereIsNoValue) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  cache.put({7, 9}, "a small value");
  const fs::path file = folder / Id{7, 9}.to_string();
  const std::string whole = read_file(file);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 128, 255}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      write_file_atomically(file, damaged);
      EXPECT_FALSE(cache.get({7, 9})) << "byte " << at;
    }
  }
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    write_file_atomically(file, whole.substr(0, bytes));
    EXPECT_FALSE(cache.get({7, 9})) << "cut to " << bytes;
  }
  write_file_atomically(file, whole + "x");
  EXPECT_FALSE(cache.get({7, 9}));
  cache.put({7, 9}, "a small value");
  EXPECT_EQ(cache.get({7, 9}), "a small value");
}

TEST(DiskCache, AValueUnderAnothersNameIsNoValue) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  cache.put({1, 1}, "mine");
  fs::rename(folder / Id{1, 1}.to_string(), folder / Id{2, 2}.to_string());
  EXPECT_FALSE(cache.get({2, 2}));
}

TEST(DiskCache, KeepsToItsBudgetAndLetsGoOfWhatWasNotUsedForLongest) {
  const TemporaryFolder folder;
  const std::uint64_t each = 100 + kHeaderBytes;
  DiskCache cache(folder.path(), 16 * each);
  for (std::uint64_t i = 0; i < 100; ++i) {
    cache.put({i, 0}, value_of(i));
    EXPECT_LE(folder_bytes(folder.path()), 16 * each);
    EXPECT_EQ(cache.get({0, 0}), value_of(0)) << "used each time, so never the oldest; after " << i;
  }
  for (const std::uint64_t recent : {97, 98, 99}) EXPECT_EQ(cache.get({recent, 0}), value_of(recent));
  EXPECT_FALSE(cache.get({1, 0}));
}

TEST(DiskCache, AValueThatIsLargerThanTheBudgetIsNotKept) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), 100), none(folder / "none", 0);
  cache.put({1, 0}, value_of(1, 20));
  cache.put({2, 0}, value_of(2, 100));
  none.put({3, 0}, "");
  EXPECT_TRUE(cache.get({1, 0}));
  EXPECT_FALSE(cache.get({2, 0}));
  EXPECT_FALSE(none.get({3, 0}));
  EXPECT_FALSE(fs::exists(folder / "none"));
}

TEST(DiskCache, WhereNothingCanBeWrittenNothingIsKept) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "in the way");
  DiskCache cache(folder / "file", kPlenty);
  cache.put({1, 0}, "value");
  EXPECT_FALSE(cache.get({1, 0}));
}

/// No file may grow beyond some bytes while this lives, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(std::uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(DiskCache, AFullDiskCostsTheNewValueOnly) {
  const TemporaryFolder folder;
  DiskCache cache(folder.path(), kPlenty);
  cache.put({1, 0}, value_of(1));
  for (std::uint64_t bytes = 0; bytes < kHeaderBytes + 5000; bytes += 97) {
    const FullDisk full(bytes);
    cache.put({2, 0}, value_of(2, 5000));
  }
  EXPECT_FALSE(cache.get({2, 0}));
  EXPECT_EQ(cache.get({1, 0}), value_of(1));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "no part of a file is left";
  cache.put({2, 0}, value_of(2, 5000));
  EXPECT_TRUE(cache.get({2, 0}));
}

TEST(DiskCache, ManyThreadsOfTwoCachesSeeWholeValuesOrNone) {
  const TemporaryFolder folder;
  DiskCache one(folder.path(), 8000), other(folder.path(), 8000);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      DiskCache& cache = t % 2 == 0 ? one : other;
      for (std::uint64_t i = 0; i < 300; ++i) {
        const std::uint64_t n = (i * 7 + t) % 100;
        const auto found = cache.get({n, 0});
        EXPECT_TRUE(!found || *found == value_of(n));
        if (i % 3 == t % 3) cache.put({n, 0}, value_of(n));
      }
    });
  }
}

}  // namespace
}  // namespace hasten
