// Adding, replacing, removing, merging, searching and reopening, also from several threads at once, against
// a plain model; segments that are damaged, and writers that are killed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "base/files.hpp"
#include "hasten/document.hpp"
#include "tests/engine/hash_embedder.hpp"
#include "tests/engine/segment_files.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

Document open_kb(const fs::path& folder, Document::Access access = Document::Access::write) {
  Settings settings;
  settings.embedder = "hash";
  settings.recall = 1;
  Document document = Document::open(folder, settings, access);
  document.register_embedder("hash", std::make_unique<HashEmbedder>());
  return document;
}

/// Words that no stemmer touches: "kabu".
std::string word(std::size_t i) {
  constexpr std::string_view kSyllables[] = {"ka", "bu", "to", "mi", "ro", "du", "pa", "ni"};
  return std::string(kSyllables[i / 8 % 8]) + std::string(kSyllables[i % 8]);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

/// Texts by path: what a knowledge base should hold, and what a search of it should find.
struct Model {
  std::map<std::string, std::string> texts;

  /// Paths by falling score; of equal scores in any order.
  std::multimap<double, std::string, std::greater<>> by_words(const std::string& asked) const {
    double length = 0, holding = 0;
    std::map<std::string, std::pair<double, double>> counts;  // of the word, of all
    for (const auto& [path, text] : texts) {
      const auto words = words_of(text);
      const auto f = static_cast<double>(std::ranges::count(words, asked));
      length += static_cast<double>(words.size());
      if (f == 0) continue;
      ++holding;
      counts[path] = {f, static_cast<double>(words.size())};
    }
    const auto n = static_cast<double>(texts.size());
    std::multimap<double, std::string, std::greater<>> scores;
    for (const auto& [path, count] : counts) {
      const auto [f, own] = count;
      const double idf = std::log(1 + (n - holding + 0.5) / (holding + 0.5));
      scores.emplace(idf * f / (f + 1.5 * (0.25 + 0.75 * own * n / length)), path);
    }
    return scores;
  }

  std::multimap<double, std::string, std::greater<>> by_meaning(const std::string& asked) const {
    std::multimap<double, std::string, std::greater<>> scores;
    const auto question = HashEmbedder::vector_of(asked);
    for (const auto& [path, text] : texts) {
      const auto vector = HashEmbedder::vector_of(text);
      double score = 0;
      for (std::size_t d = 0; d < HashEmbedder::kDim; ++d) score += double{question[d]} * vector[d];
      scores.emplace(score, path);
    }
    return scores;
  }
};

using Scores = std::multimap<double, std::string, std::greater<>>;

/// The hits are those of the model: the same scores in the same order, of the same paths.
void expect_same(const SearchResult& found, const Scores& wanted, std::size_t top_k) {
  ASSERT_EQ(found.hits.size(), std::min(top_k, wanted.size()));
  auto want = wanted.begin();
  for (const Hit& hit : found.hits) {
    ASSERT_NEAR(hit.score, want->first, 1e-4);
    const auto same = std::ranges::find(wanted, hit.path, &Scores::value_type::second);
    ASSERT_NE(same, wanted.end()) << hit.path << " is not there, or holds other words";
    ASSERT_NEAR(hit.score, same->first, 1e-4) << hit.path;
    ++want;
  }
}

class Change : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-change-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    base_ = fs::canonical(pattern);
  }
  void TearDown() override { fs::remove_all(base_); }
  fs::path kb() const { return base_ / "kb.hasten"; }

  std::vector<fs::path> segments() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(kb() / "segments")) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }

  fs::path base_;
};

/// Random changes by one thread.
class Changer {
 public:
  Changer(std::string folder, std::uint64_t seed) : folder_(std::move(folder)), random_(seed) {}

  void change(Document& document) {
    const std::size_t action = random_() % 10;
    if (action < 3 && !model.texts.empty()) {
      remove(document);
    } else {
      add(document, 1 + random_() % 4);
    }
  }

  void search(const Document& document) {
    const std::string asked = folder_ + word(random_() % 24);
    expect_same(document.search(asked, {.mode = Mode::bm25, .top_k = 1000}), model.by_words(asked), 1000);
    expect_same(document.search(asked, {.mode = Mode::vector, .top_k = 5}), model.by_meaning(asked), 5);
  }

  /// Of these words there are no other documents: what is found does not depend on others' changes.
  void search_own(const Document& document) {
    const std::string asked = folder_ + word(random_() % 24);
    std::set<std::string> found, wanted;
    const auto result = document.search(asked, {.mode = Mode::bm25, .top_k = 1000});
    for (const Hit& hit : result.hits) found.insert(hit.path);
    for (const auto& [score, path] : model.by_words(asked)) wanted.insert(path);
    EXPECT_EQ(found, wanted);
  }

  Model model;

 private:
  void add(Document& document, std::size_t count) {
    std::vector<TextDocument> documents;
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = folder_ + word(random_() % 24);
      for (std::size_t n = random_() % 9; n > 0; --n) text += " " + folder_ + word(random_() % 24);
      const std::string path = folder_ + "/" + std::to_string(random_() % 60);
      documents.push_back({path, text, {}});
      model.texts[path] = text;
    }
    document.add(documents, {.merge = random_() % 4 == 0});
  }

  void remove(Document& document) {
    const auto at =
        std::next(model.texts.begin(), static_cast<std::ptrdiff_t>(random_() % model.texts.size()));
    const fs::path paths[] = {at->first};
    EXPECT_EQ(document.remove(paths), 1U);
    model.texts.erase(at);
  }

  std::string folder_;
  std::mt19937_64 random_;
};

std::size_t steps(std::size_t usual) {
  const char* const wanted = std::getenv("HASTEN_STEPS");  // the acceptance suite takes more
  return wanted == nullptr ? usual : std::strtoul(wanted, nullptr, 10) / 50;
}

TEST_F(Change, EveryStepAgreesWithTheModelWhileAnotherThreadMerges) {
  Changer changer("a", 1);
  std::optional<Document> document(open_kb(kb()));
  std::atomic<std::uint64_t> merged = 0;
  for (std::size_t round = 0; round < steps(8); ++round) {
    std::atomic<bool> done = false;
    {
      std::jthread merging([&] {
        do merged += document->merge();
        while (!done);
      });
      try {
        for (int n = 0; n < 12 && !HasFatalFailure(); ++n) {
          changer.change(*document);
          changer.search(*document);
        }
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
      done = true;
    }
    if (HasFailure()) return;
    if (round % 3 == 2) document->compact();
    document.reset();
    document.emplace(open_kb(kb()));
    changer.search(*document);
  }
  EXPECT_GT(merged, 0U);
  const VerifyReport report = document->verify();
  EXPECT_TRUE(report.problems.empty()) << report.problems.front();
}

TEST_F(Change, TwoThreadsChangeOneMergesOneReads) {
  Document document = open_kb(kb());
  Changer one("a", 1), other("b", 2);
  one.change(document);
  std::atomic<bool> done = false;
  std::atomic<int> merged = 0, read = 0;
  {
    const auto run = [&](Changer& changer) {
      for (std::size_t i = 0; i < steps(30) && !done; ++i) {
        changer.change(document);
        changer.search_own(document);
        if (&changer == &one && i == 10) document.compact();
      }
    };
    const auto guarded = [&](const auto& work) {
      return [&] {
        try {
          work();
        } catch (const std::exception& error) {
          ADD_FAILURE() << error.what();
          done = true;
        }
      };
    };
    const auto look = [&] {
      const Document reading = open_kb(kb(), Document::Access::read);
      for (; !done; ++read) {
        const auto result = reading.search(fmt::format("a{}", word(3)), {.top_k = 50});
        for (const Hit& hit : result.hits) EXPECT_FALSE(hit.node.text.empty());
      }
    };
    const auto merge = [&] {
      do merged += static_cast<int>(document.merge());
      while (!done);
    };
    const auto change_other = [&] { run(other); };
    std::jthread reader(guarded(look)), merging(guarded(merge)), second(guarded(change_other));
    const auto change_one = [&] { run(one); };
    guarded(change_one)();
    second.join();
    done = true;
  }
  EXPECT_GT(merged, 0);
  EXPECT_GT(read, 0);
  one.search_own(document);
  other.search_own(document);
  const VerifyReport report = document.verify();
  EXPECT_TRUE(report.problems.empty()) << report.problems.front();
}

/// Twelve documents, each a commit of its own: more segments than are left alone.
void fill(Document& document) {
  for (int i = 0; i < 12; ++i) {
    const std::string text = word(0) + " " + word(1 + static_cast<std::size_t>(i));
    const TextDocument texts[] = {{fmt::format("d/{}", i), text, {}}};
    document.add(texts, {.merge = false});
  }
}

/// A filled knowledge base of which each segment is a file.
Document open_filled_files(const fs::path& kb) {
  {
    Document document = open_kb(kb);
    fill(document);
  }
  write_images_to_files(kb);
  return open_kb(kb);
}

std::vector<std::pair<std::string, double>> found_by(const Document& document, const std::string& asked,
                                                     Mode mode) {
  std::vector<std::pair<std::string, double>> found;
  for (const Hit& hit : document.search(asked, {.mode = mode, .top_k = 50}).hits) {
    found.emplace_back(hit.path, hit.score);
  }
  return found;
}

TEST_F(Change, WhatIsRemovedWhileItIsMergedStaysRemoved) {
  Document document = open_kb(kb());
  fill(document);
  int removed = 0;
  const auto on_progress = [&](const Progress& progress) {  // built, not yet in its place
    if (progress.stage != "merge" || removed == 12) return;
    const fs::path paths[] = {fmt::format("d/{}", removed++)};
    document.remove(paths);
    const TextDocument more[] = {{fmt::format("e/{}", removed), word(0), {}}};
    document.add(more, {.merge = false});
  };
  EXPECT_GT(document.merge(on_progress), 0U);
  EXPECT_GT(removed, 0);
  for (const Mode mode : {Mode::bm25, Mode::vector}) {
    std::set<std::string> paths;
    for (const auto& [path, score] : found_by(document, word(0), mode)) paths.insert(path);
    EXPECT_EQ(paths.size(), 12U);
    for (int i = 0; i < removed; ++i) EXPECT_FALSE(paths.contains(fmt::format("d/{}", i)));
  }
  EXPECT_TRUE(document.verify().problems.empty());
}

TEST_F(Change, AMergeOfSegmentsThatWereReplacedMeanwhileIsDropped) {
  Document document = open_filled_files(kb());
  const auto before = found_by(document, word(0), Mode::bm25);
  bool rebuilt = false;
  const auto on_progress = [&](const Progress& progress) {
    if (progress.stage != "merge" || rebuilt) return;
    rebuilt = true;
    for (const fs::path& file : segments()) fs::remove(file);
    document.add({}, {.merge = false});  // finds them missing
  };
  EXPECT_EQ(document.merge(on_progress), 0U);
  EXPECT_TRUE(rebuilt);
  EXPECT_EQ(found_by(document, word(0), Mode::bm25), before);
  EXPECT_TRUE(document.verify().problems.empty());
}

TEST_F(Change, AStoppedMergeLeavesNothingBehind) {
  Document document = open_filled_files(kb());
  const auto files = segments();
  std::stop_source stop;
  stop.request_stop();
  try {
    document.merge({}, stop.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
  EXPECT_EQ(segments(), files);
  EXPECT_GT(document.merge(), 0U);
  EXPECT_LT(segments().size(), files.size());
}

TEST_F(Change, TooManySegmentsAreMergedWhateverItCosts) {
  Document document = open_kb(kb());
  for (int i = 0; i < 70; ++i) {
    const TextDocument texts[] = {{std::to_string(i), word(0), {}}};
    document.add(texts, {.merge = false});
    EXPECT_LE(document.status().segments, 3 * 65U);
  }
  EXPECT_LE(document.status().segments, 3 * 16U);
}

TEST_F(Change, OfOnePathTheLastTextCounts) {
  Document document = open_kb(kb());
  const TextDocument texts[] = {{"a", word(1), {}}, {"b", word(2), {}}, {"a", word(3), {}}};
  EXPECT_EQ(document.add(texts).files_new, 2U);
  EXPECT_TRUE(found_by(document, word(1), Mode::bm25).empty());
  EXPECT_EQ(found_by(document, word(3), Mode::bm25).size(), 1U);
}

TEST_F(Change, PathsOfTextsAreRemovedAloneOrAsFolders) {
  Document document = open_kb(kb());
  std::vector<TextDocument> texts;
  for (const std::string path : {"a", "a/b", "a/b/c", "a0", "ab", "z/a"})
    texts.push_back({path, word(0), {}});
  document.add(texts);
  const fs::path inner[] = {"a/b"};
  EXPECT_EQ(document.remove(inner), 2U);
  const fs::path outer[] = {"a"};
  EXPECT_EQ(document.remove(outer), 1U);
  EXPECT_EQ(found_by(document, word(0), Mode::bm25).size(), 3U);
  EXPECT_THROW(document.remove(outer), Error);
}

TEST_F(Change, EveryFlippedByteOfASegmentIsFoundAndRepaired) {
  {
    Document document = open_kb(kb());
    fill(document);
    document.merge();
  }
  write_images_to_files(kb());
  const auto ask = [&](const Document& document) {
    return std::pair(found_by(document, word(0), Mode::bm25), found_by(document, word(2), Mode::vector));
  };
  const auto wanted = ask(open_kb(kb()));
  const bool all = std::getenv("HASTEN_STEPS") != nullptr;
  std::size_t flipped = 0;
  for (const std::string kind : {"words-2-m", "flat-2-m", "fields-1-m"}) {
    const auto files = segments();
    const auto file = std::ranges::find_if(
        files, [&](const fs::path& f) { return f.filename().string().starts_with(kind); });
    ASSERT_NE(file, files.end());
    const std::string whole = read_file(*file);
    const File in_place = open_for_update(*file);  // not synced: that would take most of the time
    const auto put = [&](std::size_t at, char byte) {
      write_at(in_place, at, std::as_bytes(std::span(&byte, 1)), *file);
    };
    Document reader = open_kb(kb(), Document::Access::read);
    for (std::size_t i = 0; i < whole.size(); ++i, ++flipped) {
      put(i, static_cast<char>(whole[i] ^ (1 << i % 8)));
      ASSERT_FALSE(reader.verify().problems.empty()) << kind << ", byte " << i;
      put(i, whole[i]);
    }
  }
  EXPECT_GT(flipped, 2000U);
  for (std::size_t i = 0; i < (all ? 1000U : 16U); ++i) {  // each repair makes other files
    const auto files = segments();
    const fs::path& file = files[i % files.size()];
    std::string bytes = read_file(file);
    const std::size_t at = i * 2654435761 % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    if (i % 4 == 3)
      fs::remove(file);
    else
      write_file_atomically(file, bytes);
    {
      Document document = open_kb(kb());
      EXPECT_FALSE(document.verify(true).repaired.empty());
      EXPECT_TRUE(document.verify().problems.empty());
      EXPECT_EQ(ask(document), wanted);
    }
    write_images_to_files(kb());
  }
}

/// Adds documents and merges without end, writing a byte for each step that was acknowledged.
[[noreturn]] void change_for_ever(const fs::path& folder, int acknowledged, int first) {
  Document document = open_kb(folder);
  std::jthread merging([&] {
    for (;;) document.merge();
  });
  for (int i = first;; ++i) {
    const TextDocument texts[] = {{std::to_string(i), word(0) + " " + std::to_string(i), {}}};
    document.add(texts, {.merge = false});
    if (i % 3 == 0 && i > 0) {
      const fs::path paths[] = {std::to_string(i - 2)};
      try {
        document.remove(paths);
      } catch (const Error&) {  // the one before was killed between this and saying so
      }
    }
    if (::write(acknowledged, "x", 1) != 1) std::_Exit(1);
  }
}

/// What the documents should be after so many steps.
std::set<std::string> left_after(int steps) {
  std::set<std::string> left;
  for (int i = 0; i < steps; ++i) {
    if (i % 3 != 1 || i + 2 >= steps) left.insert(std::to_string(i));
  }
  return left;
}

TEST_F(Change, AWriterThatIsKilledLosesNothingThatWasAcknowledged) {
  std::mt19937_64 random(1);
  int count = 0;
  for (std::size_t kill = 0; kill < steps(6); ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) change_for_ever(kb(), ends[1], count);
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 600));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    char byte;
    while (::read(ends[0], &byte, 1) == 1) ++count;
    ::close(ends[0]);
    if (!fs::exists(kb() / "truth.db")) continue;
    Document document = open_kb(kb());
    document.add({}, {.merge = false});  // embeds what the kill cut off
    const VerifyReport report = document.verify();
    EXPECT_TRUE(report.problems.empty()) << report.problems.front();
    for (const Mode mode : {Mode::bm25, Mode::vector}) {
      std::set<std::string> found;
      const auto result =
          document.search(word(0), {.mode = mode, .top_k = static_cast<std::size_t>(count) + 10});
      for (const Hit& hit : result.hits) found.insert(hit.path);
      // The step that was killed may be there in part.
      std::set<std::string> before = left_after(count), after = before;
      after.insert(std::to_string(count));
      if (count % 3 == 0) before.erase(std::to_string(count - 2));
      EXPECT_TRUE(std::ranges::includes(found, before)) << "after " << count << " steps";
      EXPECT_TRUE(std::ranges::includes(after, found)) << "after " << count << " steps";
    }
    for (const fs::path& file : segments()) EXPECT_EQ(file.extension(), ".seg") << "left over: " << file;
  }
  EXPECT_GT(count, 10);
}

}  // namespace
}  // namespace hasten
