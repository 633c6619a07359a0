#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <random>

#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

using LocalStoreFaultTest = StoreTest;

constexpr int kDocuments = 5;

/// What document `i` says after round `round`: every state is known from its number alone.
std::string text_of(int round, int i) {
  std::string text;
  const int words = 3 + (round * 37 + i * 101) % 400;
  for (int w = 0; w < words; ++w) {
    text.append("round ").append(std::to_string(round)).append(" of ").append(std::to_string(i + w));
  }
  return text;
}

int round_of(const LocalStore::Reading& reading) { return std::stoi(reading.setting("round").value_or("0")); }

void append_round(LocalStore& store, LocalStore::Writing& writing, std::span<const NodeRow> nodes) {
  std::vector<Id> hashes;
  std::vector<float> values;
  for (const NodeRow& node : nodes) {
    const std::vector<float> vector = make_vector(node.text_hash, kDim);
    hashes.push_back(node.text_hash);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  writing.add_vectors("m", hashes, store.append_vectors("m", kDim, hashes, values));
}

/// Brings the store from one round to the next, in one commit.
void advance(LocalStore& store) {
  auto writing = store.write();
  const int round = round_of(*writing) + 1;
  const std::vector<GroupRow> groups = writing->groups();
  const std::uint32_t group = groups.empty() ? writing->put_group({0, "G", "root", "s"}) : groups[0].id;
  for (int i = 0; i < kDocuments; ++i) {
    const std::string path = "p" + std::to_string(i);
    const std::string text = text_of(round, i);
    if (const auto old = writing->find_document("/root", path)) writing->remove_document(old->number);
    const std::uint32_t number = writing->put_document(make_document(path, text), &text);
    std::vector<NodeRow> nodes;
    for (std::uint64_t from = 0; from < text.size(); from += 500) {
      nodes.push_back(make_node(number, group, text, {from, std::min(from + 500, text.size())}));
    }
    writing->add_nodes(nodes);
    append_round(store, *writing, nodes);
  }
  for (const SegmentRow& row : writing->segments()) writing->remove_segment(row.id);
  const std::string file = "segment" + std::to_string(round);
  write_file(store.segments_folder() / file, file);
  writing->add_segment({.kind = "words", .group = group, .file = file});
  const std::string image = text_of(round, 0);
  writing->add_segment({.kind = "flat", .group = group, .file = file + std::string(kImageName)},
                       std::as_bytes(std::span(image)));
  writing->set_setting("round", std::to_string(round));
  writing->commit();
}

std::string image_of(const LocalStore::Reading& reading, const SegmentRow& row) {
  const auto image = reading.segment_image(row);
  return {reinterpret_cast<const char*>(image.data()), image.size()};
}

/// Whether the store is exactly as advance() left it after some round. @return that round.
int check_round(const LocalStore& store) {
  const auto reading = store.read();
  const int round = round_of(*reading);
  if (round == 0) return 0;
  for (int i = 0; i < kDocuments; ++i) {
    const auto row = reading->find_document("/root", "p" + std::to_string(i));
    EXPECT_TRUE(row.has_value());
    if (!row) continue;
    const std::string text = text_of(round, i);
    EXPECT_EQ(reading->text(row->number), text);
    std::uint64_t covered = 0;
    for (const NodeRow& node : reading->nodes_of(row->number)) {
      covered += node.span.size();
      EXPECT_EQ(node.text_hash, id_of({text.substr(node.span.from, node.span.size())}));
      const auto at = reading->vector_row("m", node.text_hash);
      EXPECT_TRUE(at.has_value());
      if (at) {
        EXPECT_EQ(vector_of(store, "m", *at), make_vector(node.text_hash, kDim));
      }
    }
    EXPECT_EQ(covered, text.size());
  }
  const std::vector<SegmentRow> segments = reading->segments();
  EXPECT_EQ(segments.size(), 2u);
  EXPECT_EQ(image_of(*reading, segments.at(0)), text_of(round, 0));
  EXPECT_TRUE(fs::exists(store.segments_folder() / segments.at(1).file));
  return round;
}

std::string problems_of(const LocalStore& store) {
  std::string all;
  for (const StoreProblem& problem : store.verify()) all += problem.what + "\n";
  return all;
}

std::size_t files_in(const fs::path& folder) {
  std::size_t n = 0;
  for (const auto& entry : fs::directory_iterator(folder)) n += entry.is_regular_file() ? 1 : 0;
  return n;
}

/// Writes rounds, telling each to `pipe`, and compacts now and then, until it is killed.
[[noreturn]] void write_until_killed(const fs::path& folder, int pipe) {
  LocalStore store = open_store(folder);
  for (int n = 1;; ++n) {
    advance(store);
    const int round = round_of(*store.read());
    if (::write(pipe, &round, sizeof round) != sizeof round) ::_exit(1);
    if (n % 4 == 0) store.compact();
  }
}

/// A child that writes and is killed after `microseconds`. @return the last round it told.
int last_round_told(const fs::path& folder, int microseconds) {
  int ends[2];
  if (::pipe(ends) != 0) throw Error(Code::io, "no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(folder, ends[1]);
  }
  ::close(ends[1]);
  ::usleep(static_cast<useconds_t>(microseconds));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  int round = 0;
  for (int told = 0; ::read(ends[0], &told, sizeof told) == sizeof told;) round = told;
  ::close(ends[0]);
  return round;
}

TEST_F(LocalStoreFaultTest, ThirtyKillsLoseNothingThatWasAcknowledged) {
  std::mt19937 random(5);
  int before = 0;
  for (int kill = 0; kill < 30; ++kill) {
    const int told = last_round_told(folder(), static_cast<int>(1000 + random() % 120'000));
    if (!fs::exists(folder() / "truth.db")) continue;  // killed at its birth
    const LocalStore store = open_store(folder());
    const int found = check_round(store);
    EXPECT_GE(found, std::max(told, before)) << "kill " << kill;
    if (told > 0) {
      EXPECT_LE(found, told + 1) << "kill " << kill;
    }
    EXPECT_EQ(problems_of(store), "") << "kill " << kill;
    if (found > 0) {
      EXPECT_EQ(files_in(folder() / "segments"), 1u) << "orphans go when a writer opens";
      EXPECT_EQ(files_in(folder() / "vectors"), 1u) << "orphans go when a writer opens";
    }
    before = found;
  }
  EXPECT_GT(before, 10) << "too little was written for the test to mean anything";
}

/// Writes rounds until there is no more room. @return the code of the error.
std::string fill(LocalStore& store) {
  return code_thrown([&] {
    for (int n = 0; n < 1000; ++n) advance(store);
  });
}

TEST_F(LocalStoreFaultTest, AFullDiskIsToldAndLeavesTheLastCommit) {
  fs::create_directories(folder());
  if (::mount("tmpfs", folder().c_str(), "tmpfs", 0, "size=1m") != 0) {
    std::cout << "NOT CHECKED: a small file system needs root\n";
    return;
  }
  {
    LocalStore store = open_store(folder());
    EXPECT_EQ(fill(store), "full");
    const int round = check_round(store);
    EXPECT_GT(round, 1);
    EXPECT_EQ(problems_of(store), "");
    reopen(store);
    EXPECT_EQ(check_round(store), round);
    EXPECT_EQ(::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    advance(store);
    EXPECT_EQ(check_round(store), round + 1);
  }
  ::umount2(folder().c_str(), MNT_DETACH);
}

TEST_F(LocalStoreFaultTest, FilesThatMayNotGrowAreToldAtEverySize) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  for (const rlim_t kilobytes : {40, 64, 100, 150, 220, 330, 500}) {
    const fs::path at = folder() / std::to_string(kilobytes);
    LocalStore store = open_store(at);
    const rlimit limited{kilobytes << 10, usual.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
    const std::string code = fill(store);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
    EXPECT_EQ(code, "full") << kilobytes;
    const int round = check_round(store);
    EXPECT_EQ(problems_of(store), "") << kilobytes;
    advance(store);
    EXPECT_EQ(check_round(store), round + 1) << kilobytes;
    EXPECT_EQ(problems_of(store), "") << kilobytes;
  }
}

/// Everything that can be read, by what it is asked for.
using Contents = std::map<std::string, std::string>;

template <class Function>
void read_into(Contents& contents, const std::string& key, const Function& function) {
  try {
    contents[key] = function();
  } catch (const Error& error) {
    contents[key] = "error " + std::string(to_string(error.code()));
  }
}

std::string told(const NodeRow& node) {
  return node.id.to_string() + node.text_hash.to_string() + std::to_string(node.document) + " " +
         std::to_string(node.span.from) + " " + std::to_string(node.span.to);
}

Contents read_all(const fs::path& folder, const std::vector<NodeRow>& nodes) {
  Contents contents;
  try {
    const LocalStore store = open_store(folder, LocalStore::Access::read);
    const auto reading = store.read();
    for (std::uint32_t d = 1; d <= kDocuments; ++d) {
      read_into(contents, "document " + std::to_string(d), [&]() -> std::string {
        const auto row = reading->document(d);
        return row ? row->path + row->content_hash + std::to_string(row->pages.at(1)) : "missing";
      });
      read_into(contents, "text " + std::to_string(d), [&] { return reading->text(d); });
    }
    for (const NodeRow& node : nodes) {
      read_into(contents, "id " + node.id.to_string(), [&]() -> std::string {
        const auto row = reading->find_node(node.id);
        return row ? told(*row) : "missing";
      });
      read_into(contents, "vector " + node.text_hash.to_string(), [&]() -> std::string {
        const auto row = reading->vector_row("m", node.text_hash);
        if (!row) return "missing";
        const std::vector<float> vector = vector_of(store, "m", *row);
        return vector == make_vector(node.text_hash, kDim) ? "right" : "wrong";
      });
    }
    read_into(contents, "round", [&] { return reading->setting("round").value_or("missing"); });
    read_into(contents, "image", [&]() -> std::string {
      const auto segments = reading->segments();
      const auto row = std::ranges::find_if(segments, &SegmentRow::in_truth);
      return row == segments.end() ? "missing" : image_of(*reading, *row);
    });
  } catch (const Error& error) {
    contents["open"] = to_string(error.code());
  }
  return contents;
}

/// Values that neither are what they were nor say that something is wrong.
std::string wrong_values(const Contents& want, const Contents& got) {
  std::string wrong;
  for (const auto& [key, value] : got) {
    if (key == "open" || value == "missing" || value.starts_with("error ")) continue;
    if (want.at(key) != value) wrong += key + "\n";
  }
  return wrong;
}

class DamageTest : public StoreTest {
 protected:
  void SetUp() override {
    LocalStore store = open_store(folder());
    advance(store);
    const auto reading = store.read();
    for (std::uint32_t d = 1; d <= kDocuments; ++d) {
      for (NodeRow& node : reading->nodes_of(d)) nodes_.push_back(std::move(node));
    }
  }

  fs::path copy(int number) const {
    const fs::path to = folder().parent_path() / std::to_string(number);
    fs::copy(folder(), to, fs::copy_options::recursive);
    return to;
  }

  fs::path vector_file(const fs::path& at) const { return fs::directory_iterator(at / "vectors")->path(); }

  /// Reads what is damaged, and what verify() says of it. @return whether anything was noticed.
  bool check(const fs::path& at, const std::string& what) {
    const Contents got = read_all(at, nodes_);
    EXPECT_EQ(wrong_values(want_, got), "") << what;
    std::string problems;
    try {
      problems = problems_of(open_store(at, LocalStore::Access::read));
    } catch (const Error& error) {
      problems = error.what();
    }
    EXPECT_TRUE(got == want_ || !problems.empty()) << what << ": verify() missed it";
    return !problems.empty();
  }

  /// Mends a store as `hasten verify --repair` does, and checks that what is left is right.
  void mend(const fs::path& at, const std::string& what) {
    const std::string code = code_thrown([&] {
      try {
        open_store(at).repair();
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;
        LocalStore::salvage(at, "test");
      }
      LocalStore store = open_store(at);
      EXPECT_EQ(problems_of(store), "") << what;
      put(store, "new.txt", "it can be written to again");
      embed_missing(store, "m");
      EXPECT_EQ(problems_of(store), "") << what;
    });
    EXPECT_TRUE(code == "none" || code == "damaged" || code == "mismatch") << what << ": " << code;
    mended_ += code == "none" ? 1 : 0;
    EXPECT_EQ(wrong_values(want_, read_all(at, nodes_)), "") << what;
  }

  std::vector<NodeRow> nodes_;
  Contents want_;
  int mended_ = 0;
};

void flip(const fs::path& file, std::uint64_t bit) {
  std::string bytes = read_file(file);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  write_file(file, bytes);
}

TEST_F(DamageTest, FlippedBitsOfTruthAreAnErrorOrHarmless) {
  want_ = read_all(folder(), nodes_);
  const std::uint64_t bits = fs::file_size(folder() / "truth.db") * 8;
  std::mt19937_64 random(11);
  int noticed = 0;
  for (int n = 0; n < 250; ++n) {
    const fs::path at = copy(n);
    const std::uint64_t bit = n < 50 ? random() % (200 * 8) : random() % bits;
    flip(at / "truth.db", bit);
    const std::string what = "bit " + std::to_string(bit);
    const bool seen = check(at, what);
    noticed += seen ? 1 : 0;
    if (seen) mend(at, what);
    fs::remove_all(at);
  }
  EXPECT_GT(noticed, 40);
  EXPECT_GT(mended_, noticed / 2);
}

TEST_F(DamageTest, ATruthCutShortIsAnError) {
  want_ = read_all(folder(), nodes_);
  const std::uint64_t bytes = fs::file_size(folder() / "truth.db");
  int number = 0;
  for (std::uint64_t keep = 0; keep < bytes; keep += 1 + bytes / 40) {
    const fs::path at = copy(number++);
    fs::resize_file(at / "truth.db", keep);
    const std::string what = "cut to " + std::to_string(keep);
    EXPECT_TRUE(check(at, what)) << what;
    mend(at, what);
    fs::remove_all(at);
  }
}

TEST_F(DamageTest, FlippedBitsOfVectorsAreAnErrorAndAreMended) {
  want_ = read_all(folder(), nodes_);
  const std::uint64_t bits = fs::file_size(vector_file(folder())) * 8;
  std::mt19937_64 random(13);
  for (int n = 0; n < 60; ++n) {
    const fs::path at = copy(n);
    const std::uint64_t bit = n < 10 ? random() % (100 * 8) : random() % bits;
    flip(vector_file(at), bit);
    const std::string what = "bit " + std::to_string(bit);
    EXPECT_TRUE(check(at, what)) << what;
    mend(at, what);
    fs::remove_all(at);
  }
  EXPECT_EQ(mended_, 60);
}

TEST_F(DamageTest, AVectorFileCutShortOrGoneIsAnErrorAndIsMended) {
  want_ = read_all(folder(), nodes_);
  const std::uint64_t bytes = fs::file_size(vector_file(folder()));
  int number = 0;
  for (std::uint64_t keep = 0; keep < bytes; keep += 1 + bytes / 20) {
    const fs::path at = copy(number++);
    keep == 0 ? void(fs::remove(vector_file(at))) : fs::resize_file(vector_file(at), keep);
    const std::string what = "cut to " + std::to_string(keep);
    EXPECT_TRUE(check(at, what)) << what;
    mend(at, what);
    fs::remove_all(at);
  }
  EXPECT_EQ(mended_, number);
}

TEST_F(DamageTest, AFileCutShortUnderItsMappingIsAnErrorNotACrash) {
  const LocalStore store = open_store(folder(), LocalStore::Access::read);
  const auto reading = store.read();
  const std::uint64_t row = reading->vector_row("m", nodes_.back().text_hash).value();
  EXPECT_EQ(vector_of(store, "m", row), make_vector(nodes_.back().text_hash, kDim));
  fs::resize_file(vector_file(folder()), 4096);
  EXPECT_EQ(code_thrown([&] { store.vector("m", row); }), "damaged");
}

TEST_F(DamageTest, AnUnharmedStoreIsNotTouchedByRepair) {
  want_ = read_all(folder(), nodes_);
  EXPECT_TRUE(open_store(folder()).repair().empty());
  LocalStore::salvage(folder(), "test");
  want_["image"] = "missing";  // segments are built again
  EXPECT_EQ(read_all(folder(), nodes_), want_) << "salvaging loses nothing that can be read";
}

}  // namespace
}  // namespace hasten
