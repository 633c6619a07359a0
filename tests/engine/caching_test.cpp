// What the caches give is what would be found without them, whatever was committed since, and by whom.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "engine/ask/ask.hpp"
#include "engine/ask/conversation.hpp"
#include "engine/caching/result_cache.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "tests/caches/servers.hpp"
#include "tests/engine/hash_embedder.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

std::size_t steps(std::size_t usual) {
  const char* given = std::getenv("HASTEN_STEPS");
  return given == nullptr ? usual : static_cast<std::size_t>(std::atoll(given));
}

/// Words that no stemmer touches: "kabu".
std::string word(std::size_t i) {
  constexpr std::string_view kSyllables[] = {"ka", "bu", "to", "mi", "ro", "du", "pa", "ni"};
  return std::string(kSyllables[i / 8 % 8]) + std::string(kSyllables[i % 8]);
}

void expect_equal(const SearchResult& got, const SearchResult& want, const std::string& what) {
  ASSERT_EQ(got.hits.size(), want.hits.size()) << what;
  for (std::size_t i = 0; i < got.hits.size(); ++i) {
    const Hit &a = got.hits[i], &b = want.hits[i];
    ASSERT_EQ(a.node.id, b.node.id) << what << " at " << i;
    ASSERT_EQ(a.score, b.score) << what << " at " << i;  // every bit
    ASSERT_EQ(a.node.text, b.node.text) << what;
    ASSERT_EQ(a.node.span, b.node.span) << what;
    ASSERT_EQ(a.node.metadata, b.node.metadata) << what;
    ASSERT_EQ(a.path, b.path) << what;
    ASSERT_EQ(a.page, b.page) << what;
  }
  ASSERT_EQ(got.relevance, want.relevance) << what;  // every bit
  ASSERT_EQ(got.notices, want.notices) << what;
}

class Caching : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        ((::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path()) /
         "hasten-caching-XXXXXX")
            .string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    writer_ = open(SegmentStore::Access::write, "none");
  }
  void TearDown() override {
    writer_.reset();
    fs::remove_all(folder_);
  }

  static Settings settings(const std::string& cache, const std::string& kwargs = "{}") {
    Settings settings;
    settings.embedder = "hash";
    settings.recall = 1;
    settings.cache.type = cache;
    settings.cache.kwargs = kwargs;
    return settings;
  }
  std::unique_ptr<KnowledgeBase> open(SegmentStore::Access access, const Settings& settings) const {
    auto kb = std::make_unique<KnowledgeBase>(folder_ / "kb.hasten", settings, access, "test");
    kb->models.add("hash", std::make_unique<HashEmbedder>(), nullptr);
    return kb;
  }
  std::unique_ptr<KnowledgeBase> open(SegmentStore::Access access, const std::string& cache) const {
    return open(access, settings(cache));
  }

  void add(const std::vector<TextDocument>& texts, bool merge = true) {
    ingest_texts(*writer_, texts, {.merge = merge}, {}, {});
  }

  fs::path folder_;
  std::unique_ptr<KnowledgeBase> writer_;
};

/// On a busy machine a server may be slow, and what is counted here is what it could have answered.
nlohmann::json patient(const std::string& url) { return {{"url", url}, {"timeout_ms", 10'000}}; }

std::uint64_t hits_of(const KnowledgeBase& kb, const std::string& name) {
  for (const CacheUse& use : kb.caches.use()) {
    if (use.name == name) return use.hits;
  }
  return 0;
}

/// The notes of all stages of this name: "cache=hit".
std::string notes_of(const Trace& trace, std::string_view name) {
  std::string all;
  for (const Stage& stage : trace.stages()) {
    if (stage.name != name) continue;
    for (const auto& [key, value] : stage.notes) all += key + "=" + value + " ";
  }
  return all;
}

/// Random changes, and random questions that are asked again and again.
class RandomUse {
 public:
  explicit RandomUse(std::uint64_t seed) : random_(seed) {}

  void change(KnowledgeBase& kb) {
    const std::size_t action = random_() % 20;
    if (action < 4 && !paths_.empty()) {
      const std::string path = any_path();
      paths_.erase(path);
      remove_documents(kb, documents_under(kb, path));
    } else if (action == 4) {
      merge(kb, {}, {});
    } else if (action == 5 && random_() % 5 == 0) {
      compact(kb, {}, {});
    } else {
      std::vector<TextDocument> texts;
      for (std::size_t n = 1 + random_() % 5; n > 0; --n) texts.push_back(text());
      ingest_texts(kb, texts, {.merge = random_() % 4 == 0}, {}, {});
    }
  }

  std::string question() {
    // Zipf's law, about: few are asked often.
    const double u = std::uniform_real_distribution<double>(0, std::log(300.0))(random_);
    const auto i = static_cast<std::size_t>(std::exp(u));
    return word(i * 7) + " " + word(i * 13 + 3) + (i % 3 == 0 ? " " + word(i + 30) : "");
  }

  SearchOptions options() {
    SearchOptions options;
    options.mode = std::array{Mode::hybrid, Mode::bm25, Mode::vector}[random_() % 3];
    options.top_k = std::array<std::size_t, 3>{3, 10, 40}[random_() % 3];
    switch (random_() % 8) {
      case 0:
        options.filter = Filter::parse("year >= 2010");
        break;
      case 1:
        options.filter = Filter::parse(R"(kind == "red" and year < 2015)");
        break;
      case 2:
        options.fusion = Fusion::reciprocal_ranks;
        break;
      case 3:
        options.window = 1;
        break;
      case 4:
        options.target = "CoarseChunk";
        break;
      case 5:
        options.operators = true;
        break;
      default:
        break;
    }
    return options;
  }

 private:
  TextDocument text() {
    TextDocument document;
    document.path = random_() % 3 == 0 && !paths_.empty() ? any_path() : fmt::format("d{}", random_() % 400);
    std::string& text = paths_[document.path];
    if (text.empty() || random_() % 2 == 0) {
      text.clear();
      for (std::size_t n = 3 + random_() % 60; n > 0; --n)
        text += word(random_() % 64) + (n % 9 == 0 ? ". " : " ");
    }
    document.text = text;  // often the same as before, with other fields
    document.metadata["year"] = static_cast<std::int64_t>(2000 + random_() % 20);
    document.metadata["kind"] = std::string(random_() % 2 == 0 ? "red" : "blue");
    return document;
  }
  std::string any_path() {
    auto at = paths_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % paths_.size()));
    return at->first;
  }

  std::mt19937_64 random_;
  std::map<std::string, std::string> paths_;
};

TEST_F(Caching, WhatIsFoundIsWhatWouldBeFoundWithoutThem) {
  const auto redis = CacheServer::redis(), memcached = CacheServer::memcached();
  const std::string of_redis = patient(redis->url).dump();
  RandomUse use(3);
  ingest_texts(*writer_, std::vector<TextDocument>{{"d0", "kaka kabu", {}}}, {.groups = {"CoarseChunk"}}, {},
               {});
  struct Reader {
    std::string type;
    std::unique_ptr<KnowledgeBase> kb;
  };
  std::vector<Reader> readers;
  const auto reader = [&](const std::string& type, const std::string& kwargs) {
    readers.push_back({type, open(SegmentStore::Access::read, settings(type, kwargs))});
  };
  reader("memory", "{}");
  reader("redis", of_redis);
  reader("memcached", patient(memcached->url).dump());
  nlohmann::json far = patient(redis->url);
  far["namespace"] = "tiered";  // else it finds what the reader before it has kept
  reader("tiered", nlohmann::json{{"far", {{"type", "redis"}, {"kwargs", far}}}}.dump());
  const std::size_t n = steps(1500);
  for (std::size_t step = 0; step < n; ++step) {
    if (step % 3 == 0) use.change(*writer_);
    const std::string question = use.question();
    const SearchOptions options = use.options();
    const SearchResult want = search(*writer_, question, options, nullptr, {}).result;
    for (const Reader& one : readers) {
      const std::string what = fmt::format("{} at step {}: {}", one.type, step, question);
      expect_equal(search(*one.kb, question, options, nullptr, {}).result, want, what);
      if (HasFatalFailure()) return;
    }
    if (step % 500 == 499) {  // another setting: what was kept for the old one is not for the new one
      Settings changed = settings("redis", of_redis);
      changed.bm25_k1 = 0.5;
      const auto other = open(SegmentStore::Access::read, changed);
      writer_->settings.bm25_k1 = 0.5;
      expect_equal(search(*other, question, options, nullptr, {}).result,
                   search(*writer_, question, options, nullptr, {}).result, "with another k1");
      writer_->settings.bm25_k1 = 1.5;
      if (HasFatalFailure()) return;
    }
  }
  for (const Reader& one : readers) {
    EXPECT_GT(hits_of(*one.kb, "lists"), n / 8) << one.type;
    EXPECT_GT(hits_of(*one.kb, "embeddings"), n / 8) << one.type;
    EXPECT_GT(hits_of(*one.kb, "passages"), n / 8) << one.type;
  }
}

TEST_F(Caching, APassageIsReadOnceAndNeverAnOlderOne) {
  add({{"a", "kaka kabu kato", {}}, {"b", "kaka mimi", {}}});
  Settings given = settings("memory");
  given.cache.results.on = false;
  const auto kb = open(SegmentStore::Access::read, given);
  const auto texts = [&](const SearchOptions& options) {
    Trace trace;
    std::set<std::string> found;
    for (const Hit& hit : search(*kb, "kaka", options, &trace, {}).result.hits) found.insert(hit.node.text);
    return std::pair(notes_of(trace, "search.texts"), found);
  };
  using Texts = std::set<std::string>;
  EXPECT_EQ(texts({}), std::pair(std::string("cached=0 bytes=23 "), Texts({"kaka kabu kato", "kaka mimi"})));
  EXPECT_EQ(texts({}), std::pair(std::string("cached=2 bytes=23 "), Texts({"kaka kabu kato", "kaka mimi"})));
  add({{"a", "kaka changed", {}}, {"b", "kaka mimi", {}}, {"c", "kaka mimi", {}}});
  EXPECT_EQ(texts({}).second, Texts({"kaka changed", "kaka mimi"}));
  SearchOptions windows;
  windows.window = 1;
  EXPECT_EQ(texts(windows).second, Texts({"kaka changed", "kaka mimi"}));
  given.cache.passages.on = false;
  const auto without = open(SegmentStore::Access::read, given);
  EXPECT_EQ(search(*without, "kaka", {}, nullptr, {}).result.hits.size(), 3u);
  EXPECT_EQ(hits_of(*without, "passages"), 0u);
}

TEST_F(Caching, AConversationGoesOnInAnotherProcess) {
  add({{"beijing", "The metro of Beijing has 490 stations.", {}},
       {"shanghai", "The metro of Shanghai has 508 stations. It was opened in 1993.", {}},
       {"tea", "Green tea is brewed at 80 degrees.", {}}});
  const auto redis = CacheServer::redis();
  const auto url = nlohmann::json{{"url", redis->url}}.dump();
  for (const auto& [type, kwargs] : {std::pair("memory", std::string("{}")), std::pair("redis", url)}) {
    const auto one = open(SegmentStore::Access::read, settings(type, kwargs));
    const auto other =
        type == std::string("redis") ? open(SegmentStore::Access::read, settings(type, kwargs)) : nullptr;
    KnowledgeBase& second = other ? *other : *one;
    AskOptions options;
    options.generator = "extractive";
    options.search.mode = Mode::bm25;
    const auto answer = [&](KnowledgeBase& kb, const char* question, const char* session) {
      options.session = session;
      return ask(kb, question, options, {}, nullptr, {}).text;
    };
    EXPECT_NE(answer(*one, "How many stations has the metro of Beijing?", "s").find("490"),
              std::string::npos);
    EXPECT_NE(answer(second, "and Shanghai?", "s").find("508"), std::string::npos) << type;
    EXPECT_NE(answer(*one, "when was it opened?", "s").find("1993"), std::string::npos) << type;
    EXPECT_NE(answer(second, "How is green tea brewed?", "s").find("80 degrees"), std::string::npos) << type;
    EXPECT_EQ(answer(*one, "How long does it take in the rain?", "none stands for itself"),
              answer(second, "zyzzyva?", "nothing found"));
    const std::string gone_on = answer(*one, "when was it opened?", "nothing found");
    EXPECT_EQ(gone_on.find("508"), std::string::npos) << gone_on;
    options.search.operators = true;
    EXPECT_NE(answer(*one, "+metro Shanghai stations", "operators").find("508"), std::string::npos);
    EXPECT_NE(answer(second, "and +tea?", "operators").find("80 degrees"), std::string::npos);
    options.search.operators = false;
    EXPECT_EQ(hits_of(*one, "sessions") > 0, true) << type;
  }
}

TEST_F(Caching, EqualQuestionsAtATimeAreWrittenOnce) {
  add({{"kaka", "The kaka is a parrot that lives in the forests of New Zealand.", {}}});
  const auto kb = open(SegmentStore::Access::read, "memory");
  AskOptions options;
  options.generator = "SmolLM2-135M-Instruct";
  options.max_tokens = 12;
  std::vector<Answer> answers(4);
  {
    std::vector<std::jthread> threads;
    for (Answer& answer : answers) {
      threads.emplace_back([&] { answer = ask(*kb, "Where does the kaka live?", options, {}, nullptr, {}); });
    }
  }
  for (const Answer& answer : answers) {
    EXPECT_TRUE(answer.found);
    EXPECT_EQ(answer.text, answers.front().text);
    EXPECT_EQ(answer.metrics.tokens, answers.front().metrics.tokens);
  }
  EXPECT_GT(answers.front().metrics.tokens, 0u);
  for (const CacheUse& use : kb->caches.use()) {
    if (use.name == "answers") {
      EXPECT_EQ(use.puts, 1u);
    }
  }
}

TEST_F(Caching, ASessionKeepsItsLastTurns) {
  add({{"a", "kaka kabu", {}}});
  const auto kb = open(SegmentStore::Access::read, "memory");
  for (std::size_t i = 0; i < Conversation::kTurnsMax + 3; ++i) {
    Conversation(*kb, "s").add({fmt::format("q{}", i), std::string(10'000, 'a')});
  }
  const Conversation conversation(*kb, "s");
  const auto& turns = conversation.turns();
  ASSERT_EQ(turns.size(), Conversation::kTurnsMax);
  EXPECT_EQ(turns.front().question, "q3");
  EXPECT_EQ(turns.back().question, fmt::format("q{}", Conversation::kTurnsMax + 2));
  EXPECT_EQ(turns.back().answer.size(), Conversation::kAnswerBytesMax);
  EXPECT_TRUE(Conversation(*kb, "").turns().empty());
  EXPECT_TRUE(Conversation(*kb, "t").turns().empty());
  Conversation(*kb, "").add({"q", "a"});
  EXPECT_TRUE(decode_turns(encode(turns).substr(0, 100)).empty());
  EXPECT_EQ(decode_turns(encode(turns)).size(), turns.size());
}

TEST_F(Caching, TheSecondTimeNothingIsSearched) {
  add({{"a", "kaka kabu kato", {}}, {"b", "kaka mimi", {}}});
  const auto kb = open(SegmentStore::Access::read, "memory");
  Trace first, second;
  const auto want = search(*kb, "kaka kabu", {}, &first, {}).result;
  const auto got = search(*kb, "kaka kabu", {}, &second, {}).result;
  expect_equal(got, want, "again");
  EXPECT_EQ(notes_of(first, "search.cache"), "results=miss ");
  EXPECT_EQ(notes_of(second, "search.cache"), "results=hit ");
  EXPECT_EQ(second.stages().size(), 1u);
}

TEST_F(Caching, ACommitCostsWhatItChanged) {
  std::vector<TextDocument> texts;
  for (std::size_t i = 0; i < 300; ++i) {  // of many lengths: equal scores all stand and fall together
    std::string text = "kaka";
    for (std::size_t n = 0; n < i / 2; ++n) text += " " + word(8 + (i + n) % 50);
    texts.push_back({fmt::format("d{}", i), text, {}});
  }
  add(texts);
  const auto kb = open(SegmentStore::Access::read, "memory");
  const auto notes = [&](const SearchOptions& options = {}) {
    Trace trace;
    expect_equal(search(*kb, "kaka kabu", options, &trace, {}).result,
                 search(*writer_, "kaka kabu", options, nullptr, {}).result, "then");
    return notes_of(trace, "search.cache") + notes_of(trace, "search.bm25") +
           notes_of(trace, "search.vectors");
  };
  EXPECT_NE(notes().find("cache=miss"), std::string::npos);
  add({{"new", "kaka mimi", {}}});
  const std::string after = notes();
  EXPECT_NE(after.find("results=miss"), std::string::npos) << after;
  EXPECT_EQ(after.find("cache=miss"), std::string::npos) << after;
  EXPECT_NE(after.find("cache=updated"), std::string::npos) << after;
  SearchOptions few;
  few.top_k = 5;
  EXPECT_EQ(notes(few).find("cache=miss"), std::string::npos) << "the lists are the same";
}

TEST_F(Caching, AnotherHistoryIsNotTakenForThisOne) {
  const auto redis = CacheServer::redis();
  const Settings shared = settings("redis", nlohmann::json{{"url", redis->url}}.dump());
  add({{"a", "kaka kabu", {}}});
  const fs::path copy = folder_ / "copy";
  writer_.reset();
  fs::copy(folder_ / "kb.hasten", copy, fs::copy_options::recursive);
  writer_ = open(SegmentStore::Access::write, "none");
  add({{"b", "kaka of this history", {}}});
  const auto here = open(SegmentStore::Access::read, shared);
  EXPECT_EQ(search(*here, "kaka", {}, nullptr, {}).result.hits.size(), 2u);
  // A copy from before is put back, and goes on with as many commits.
  writer_.reset();
  fs::remove_all(folder_ / "kb.hasten");
  fs::rename(copy, folder_ / "kb.hasten");
  writer_ = open(SegmentStore::Access::write, "none");
  add({{"c", "kaka of that history", {}}});
  const auto there = open(SegmentStore::Access::read, shared);
  EXPECT_EQ(there->store.newest().number, here->store.newest().number);
  expect_equal(search(*there, "kaka", {}, nullptr, {}).result,
               search(*writer_, "kaka", {}, nullptr, {}).result, "after the copy came back");
}

TEST_F(Caching, VectorsThatComeLaterAreFound) {
  ingest_texts(*writer_, std::vector<TextDocument>{{"a", "kaka kabu", {}}, {"b", "mimi mimi", {}}}, {}, {},
               {});
  ingest_texts(*writer_, std::vector<TextDocument>{{"c", "kato kato", {}}}, {.embed = false}, {}, {});
  const auto kb = open(SegmentStore::Access::read, "memory");
  SearchOptions by_meaning;
  by_meaning.mode = Mode::vector;
  EXPECT_EQ(search(*kb, "kaka", by_meaning, nullptr, {}).result.hits.size(), 2u);
  add({{"d", "dudu", {}}});
  EXPECT_EQ(search(*kb, "kaka", by_meaning, nullptr, {}).result.hits.size(), 4u);
}

TEST_F(Caching, AnAnswerIsWrittenAgainWherePassagesChanged) {
  add({{"a", "The kaka lives in the north. It eats kabu.", {}}, {"b", "Mimi is a town.", {}}});
  const auto kb = open(SegmentStore::Access::read, "memory");
  AskOptions options;
  options.generator = "extractive";
  const auto asked = [&](KnowledgeBase& of, Trace* trace = nullptr) {
    return ask(of, "where does the kaka live", options, {}, trace, {});
  };
  Trace first, second, third;
  const Answer before = asked(*kb, &first);
  const Answer again = asked(*kb, &second);
  EXPECT_NE(notes_of(first, "ask.extract").find("answers=miss"), std::string::npos);
  EXPECT_NE(notes_of(second, "ask.extract").find("answers=hit"), std::string::npos);
  EXPECT_EQ(again.text, before.text);
  EXPECT_EQ(again.citations.size(), before.citations.size());
  add({{"a", "The kaka lives in the south. It eats kabu.", {}}});
  const Answer after = asked(*kb, &third);
  EXPECT_NE(after.text, before.text);
  EXPECT_EQ(after.text, asked(*writer_).text);
}

TEST_F(Caching, TheMostAskedQuestionsAreCounted) {
  add({{"a", "kaka kabu", {}}});
  const auto kb = open(SegmentStore::Access::read, "memory");
  for (int i = 0; i < 3; ++i) search(*kb, "kaka", {}, nullptr, {});
  search(*kb, "kabu", {}, nullptr, {});
  const auto top = kb->caches.most_asked(5);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0], (std::pair<std::string, std::uint64_t>("kaka", 3)));
}

TEST_F(Caching, AServerThatIsAwayCostsNoAnswer) {
  auto redis = CacheServer::redis();
  const auto kb =
      open(SegmentStore::Access::read, settings("redis", nlohmann::json{{"url", redis->url}}.dump()));
  add({{"a", "kaka kabu", {}}, {"b", "kaka mimi", {}}});
  const auto check = [&](const char* when) {
    expect_equal(search(*kb, "kaka", {}, nullptr, {}).result,
                 search(*writer_, "kaka", {}, nullptr, {}).result, when);
  };
  check("there");
  redis.reset();
  check("gone");
  add({{"c", "kaka kato", {}}});
  check("gone, and something was added");
}

TEST_F(Caching, BytesThatAreNoneOfOursAreNotTaken) {
  add({{"a", "kaka kabu", {}}});
  const Found found = search(*writer_, "kaka", {}, nullptr, {});
  const std::string bytes = encode(found);
  const auto whole = decode_found(bytes);
  ASSERT_TRUE(whole);
  expect_equal(whole->result, found.result, "whole");
  EXPECT_EQ(whole->at, found.at);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_found(bytes.substr(0, n))) << n;
  EXPECT_FALSE(decode_found(bytes + "x"));
}

}  // namespace
}  // namespace hasten
