#include "engine/ingest/scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "engine/ingest/source_changes.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

class Scan : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-scan-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    base_ = fs::canonical(pattern);
    root_ = base_ / "docs";
    put("a.txt", "a");
    put("b/c.md", "c");
  }
  void TearDown() override { fs::remove_all(base_); }

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::vector<std::string> paths(const std::vector<std::string>& include = {},
                                 const std::vector<std::string>& exclude = {}) const {
    const fs::path roots[] = {root_};
    std::vector<std::string> found;
    for (const FoundFile& file : scan(roots, include, exclude).files) found.push_back(file.path);
    return found;
  }

  fs::path base_, root_;
};

using Paths = std::vector<std::string>;

TEST_F(Scan, HiddenIgnoredAndOutwardLinksAreLeftOut) {
  put(".hidden", "x");
  put(".git/config", "x");
  put("secret.log", "x");
  put("b/keep.log", "x");
  put(".gitignore", "*.log\nout/\n");
  put("b/.gitignore", "!keep.log\n");
  put("out/x.txt", "x");
  std::ofstream(base_ / "elsewhere.txt") << "x";
  fs::create_symlink(base_ / "elsewhere.txt", root_ / "outward.txt");
  fs::create_symlink(root_, root_ / "b/circle");
  fs::create_symlink("a.txt", root_ / "inward.txt");
  put("kb.hasten/truth.db", "x");
  EXPECT_EQ(paths(), (Paths{"a.txt", "b/c.md", "b/keep.log", "inward.txt"}));
}

TEST_F(Scan, IncludeAndExclude) {
  put("b/node_modules/x.md", "x");
  EXPECT_EQ(paths({"*.md"}), (Paths{"b/c.md", "b/node_modules/x.md"}));
  EXPECT_EQ(paths({"*.md"}, {"node_modules"}), (Paths{"b/c.md"}));
  EXPECT_EQ(paths({}, {"*.txt"}), (Paths{"b/c.md", "b/node_modules/x.md"}));
}

TEST_F(Scan, AFileThatIsNamedIsTakenWhateverItIsCalled) {
  put(".hidden", "x");
  const fs::path named[] = {root_ / ".hidden"};
  const auto found = scan(named, {}, {});
  ASSERT_EQ(found.files.size(), 1U);
  EXPECT_EQ(found.files[0].path, ".hidden");
  EXPECT_EQ(found.files[0].absolute(), root_ / ".hidden");
}

TEST_F(Scan, NestedRootsGiveEachFileOnce) {
  const fs::path roots[] = {root_, root_ / "b"};
  EXPECT_EQ(scan(roots, {}, {}).files.size(), 2U);
}

TEST_F(Scan, ABrokenLinkIsReported) {
  fs::create_symlink("nowhere", root_ / "broken");
  const fs::path roots[] = {root_};
  const auto found = scan(roots, {}, {});
  ASSERT_EQ(found.unreadable.size(), 1U);
  EXPECT_TRUE(found.unreadable[0].path.ends_with("broken"));
}

/// What is known after these files were ingested.
KnownFiles known_after(const ScanResult& found) {
  KnownFiles known;
  std::uint32_t number = 0;
  for (const FoundFile& file : found.files) {
    KnownFile row;
    row.number = ++number;
    row.root = file.root;
    row.shown = file.shown;
    row.path = file.path;
    row.size = file.size;
    row.mtime_ns = file.mtime_ns;
    known.emplace(file.absolute().string(), row);
  }
  return known;
}

class Changes : public Scan {
 protected:
  SourceChanges compare(const fs::path& path, const KnownFiles& known, bool prune = false) const {
    const fs::path roots[] = {path};
    return compare_sources(scan(roots, {}, {}), known, {}, {}, prune, 2, {});
  }
  KnownFiles now() const {
    const fs::path roots[] = {root_};
    return known_after(scan(roots, {}, {}));
  }
};

TEST_F(Changes, UnchangedFilesAreNotRead) {
  const SourceChanges changes = compare(root_, now());
  EXPECT_EQ(changes.unchanged, 2U);
  EXPECT_TRUE(changes.jobs.empty());
  EXPECT_EQ(changes.bytes_read, 0U);
}

TEST_F(Changes, ChangedNewAndVanishedFiles) {
  const KnownFiles known = now();
  put("a.txt", "longer than before");
  put("new.txt", "new");
  fs::remove(root_ / "b/c.md");
  const SourceChanges changes = compare(root_, known);
  ASSERT_EQ(changes.jobs.size(), 2U);
  EXPECT_TRUE(changes.jobs[0].known.has_value());
  EXPECT_FALSE(changes.jobs[1].known.has_value());
  EXPECT_EQ(changes.vanished.size(), 1U);
}

TEST_F(Changes, AnEmptyOrMissingRootForgetsNothingUnlessPruned) {
  const KnownFiles known = now();
  fs::rename(root_, base_ / "gone");
  for (const bool made_again : {false, true}) {
    if (made_again) fs::create_directory(root_);
    EXPECT_TRUE(compare(root_, known).vanished.empty());
    EXPECT_EQ(compare(root_, known).notices.size(), 1U);
    EXPECT_EQ(compare(root_, known, true).vanished.size(), 2U);
  }
}

TEST_F(Changes, AnUnknownMissingPathIsAnError) {
  try {
    compare(base_ / "never", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::not_found);
  }
}

TEST_F(Changes, OneFolderLeavesWhatCameFromAnother) {
  const KnownFiles known = now();
  fs::create_directory(base_ / "docs2");
  std::ofstream(base_ / "docs2/x.txt") << "x";
  EXPECT_TRUE(compare(base_ / "docs2", known).vanished.empty());
}

}  // namespace
}  // namespace hasten
