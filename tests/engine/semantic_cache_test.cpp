// Questions that ask the same are answered as one, those that only look the same each for itself, and every
// answer is what would be answered now.
#include "engine/caching/semantic_cache.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/ask/ask.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "tests/engine/hash_embedder.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using Kind = SemanticMatch::Kind;
using test::error_of;

/// Texts that speak of a card lie near each other, any other in a direction of its own, and a zero in none.
/// Counts questions.
class CardEmbedder final : public HashEmbedder {
 public:
  explicit CardEmbedder(std::atomic<std::size_t>& questions) : questions_(questions) {}

  static std::vector<float> vector_of(std::string_view text) {
    std::vector<float> vector = HashEmbedder::vector_of(text);
    if (text.starts_with("zero")) vector.assign(vector.size(), 0);
    if (text.find("card") == text.npos && text.find("卡") == text.npos) return vector;
    for (std::size_t i = 0; i < vector.size(); ++i) vector[i] = 0.1f * vector[i] + (i == 0 ? 1.0f : 0.0f);
    return vector;
  }
  Matrix embed(std::span<const std::string_view> texts, Role role, std::stop_token) const override {
    if (role == Role::query) questions_ += texts.size();
    Matrix vectors{texts.size(), kDim, {}};
    for (const std::string_view text : texts) {
      const auto vector = vector_of(text);
      vectors.values.insert(vectors.values.end(), vector.begin(), vector.end());
    }
    return vectors;
  }

 private:
  std::atomic<std::size_t>& questions_;
};

CacheSettings cache_settings(double error_rate = 0.01, std::uint64_t entries_max = 1000) {
  CacheSettings settings;
  settings.semantic = {true, error_rate, entries_max};
  return settings;
}

/// The notes of the stage of this name: "match=none "; nothing where there is no such stage.
std::optional<std::string> notes_of(const Trace& trace, std::string_view name) {
  for (const Stage& stage : trace.stages()) {
    if (stage.name != name) continue;
    std::string all;
    for (const auto& [key, value] : stage.notes) all += key + "=" + value + " ";
    return all;
  }
  return std::nullopt;
}

class AskingAgain : public ::testing::Test {
 protected:
  void SetUp() override {
    writer_ = open(SegmentStore::Access::write, {.type = "none"});
    kb_ = open(SegmentStore::Access::read, cache_settings());
  }

  std::unique_ptr<KnowledgeBase> open(SegmentStore::Access access, const CacheSettings& cache) {
    Settings settings;
    settings.embedder = "cards";
    settings.cache = cache;
    auto kb = std::make_unique<KnowledgeBase>(folder_ / "kb.hasten", settings, access, "test");
    kb->models.add("cards", std::make_unique<CardEmbedder>(embedded_), nullptr);
    return kb;
  }
  void add(const std::vector<TextDocument>& texts) { ingest_texts(*writer_, texts, {}, {}, {}); }

  static AskOptions quoting() {
    AskOptions options;
    options.generator = "extractive";
    return options;
  }
  static Answer asked(KnowledgeBase& kb, std::string_view question, Trace* trace = nullptr,
                      const AskOptions& options = quoting()) {
    return ask(kb, question, options, {}, trace, {});
  }
  Answer asked(std::string_view question, Trace* trace = nullptr) { return asked(*kb_, question, trace); }
  /// What is answered without any cache.
  Answer afresh(std::string_view question) { return asked(*writer_, question); }
  CacheUse use() const { return kb_->semantic_cache.use().value_or(CacheUse()); }

  test::TemporaryFolder folder_;
  std::atomic<std::size_t> embedded_ = 0;  // questions, by all knowledge bases
  std::unique_ptr<KnowledgeBase> writer_, kb_;
};

const std::vector<TextDocument> kLibrary = {
    {"kaka.txt", "The kaka lives in the north. It was first seen in 1880 by Anna Berg.", {}},
    {"kea.txt", "The kea lives in the south. It was first seen in 1856 by Carl Dahl.", {}},
    {"tower.txt", "The tower is open on Monday. The tower is not open on Sunday.", {}},
    {"languages.txt",
     "C was made by Dennis Ritchie. C++ was made by Bjarne Stroustrup. C# was made by Microsoft.",
     {}},
    {"卡卡.txt", "卡卡鸟住在北方的森林里。卡卡鸟在1880年被发现。啄羊鹦鹉住在南方的山上。", {}},
};

TEST_F(AskingAgain, TheSameWordsInOtherClothesAreOneQuestion) {
  add(kLibrary);
  const std::pair<const char*, const char*> pairs[] = {
      {"Where does the kaka live?", "Hi, could you please tell me where the kaka live"},
      {"卡卡鸟住在哪里？", "请问卡卡鸟住在什么地方呢"},
  };
  for (const auto& [first, second] : pairs) {
    Trace missed, matched;
    const Answer one = asked(first, &missed);
    ASSERT_TRUE(one.found) << first;
    EXPECT_EQ(one.matched_question, "");
    EXPECT_EQ(notes_of(missed, "ask.semantic")->find("match=none "), 0u);
    const std::size_t before = embedded_;
    const Answer other = asked(second, &matched);
    EXPECT_EQ(embedded_, before) << "words are compared before anything is embedded";
    EXPECT_EQ(other.matched_question, first);
    EXPECT_EQ(other.text, one.text);
    EXPECT_EQ(other.notices, std::vector<std::string>{fmt::format("answered as \"{}\"", first)});
    const std::string notes = *notes_of(matched, "ask.semantic");
    EXPECT_EQ(notes.find(fmt::format("match=exact words question={} sameness=", first)), 0u) << notes;
    EXPECT_FALSE(notes_of(matched, "ask.semantic.embed"));
    EXPECT_EQ(notes_of(matched, "search.cache"), "results=hit ") << "the earlier one was searched before";
    EXPECT_EQ(asked(first).matched_question, "") << "it is itself";
  }
  EXPECT_EQ(use().hits, 4u);
  EXPECT_EQ(use().misses, 2u);
  EXPECT_EQ(use().entries, 2u);
  EXPECT_GT(use().bytes, 500u);
  const Status state = status(*kb_);
  EXPECT_EQ(state.caches.back().name, "semantic");
}

TEST_F(AskingAgain, WhatOnlyLooksTheSameIsAnsweredForItself) {
  add(kLibrary);
  const std::pair<const char*, const char*> pairs[] = {
      {"Where does the kaka live?", "Where does the kea live?"},
      {"What was seen in 1880?", "What was seen in 1856?"},
      {"Is the tower open on Monday?", "Is the tower not open on Monday?"},
      {"Is the tower open on Sunday?", "Is the tower open on Monday?"},
      {"Who has seen the kea first?", "When was the kea seen first?"},
      {"What was seen by Anna Berg?", "What was seen by Carl Dahl?"},
      {"Who made C?", "Who made C++?"},
      {"Who made C++?", "Who made C#?"},
      {"卡卡鸟住在哪里？", "啄羊鹦鹉住在哪里？"},
      {"卡卡鸟住在哪里？", "卡卡鸟什么时候被发现？"},
      {"卡卡鸟在1880年被发现吗？", "卡卡鸟在1856年被发现吗？"},
      {"Where does the kaka live?", "卡卡鸟住在哪里？"},
  };
  for (const auto& [first, second] : pairs) {
    const auto kb = open(SegmentStore::Access::read, cache_settings(0.5));  // asks for least
    EXPECT_EQ(asked(*kb, first).text, afresh(first).text);
    Trace trace;
    const Answer answer = asked(*kb, second, &trace);
    EXPECT_EQ(answer.matched_question, "") << first << " / " << second;
    EXPECT_EQ(answer.text, afresh(second).text) << second;
    EXPECT_EQ(notes_of(trace, "ask.semantic")->find("match=none "), 0u);
  }
}

TEST_F(AskingAgain, TheTraceSaysWhatSpeaksAgainstTheNearest) {
  add({{"card.txt", "A card is blocked within 2 hours. A lost card is replaced within 5 days.", {}}});
  asked("Is a card blocked within 2 hours?");
  Trace trace;
  asked("Is a card blocked within 3 hours?", &trace);
  EXPECT_EQ(notes_of(trace, "ask.semantic"),
            "match=none nearest=Is a card blocked within 2 hours? sameness=0.000 agreeing=1 "
            "refused=numbers differ: 3 h, 2 h ");
}

TEST_F(AskingAgain, ItIsOffUnlessItIsSwitchedOn) {
  add(kLibrary);
  CacheSettings none = cache_settings();
  none.type = "none";
  for (const CacheSettings& settings : {CacheSettings(), none}) {
    const auto kb = open(SegmentStore::Access::read, settings);
    asked(*kb, "Where does the kaka live?");
    Trace trace;
    EXPECT_EQ(asked(*kb, "please, where does the kaka live", &trace).matched_question, "");
    EXPECT_FALSE(notes_of(trace, "ask.semantic"));
    EXPECT_FALSE(kb->semantic_cache.use());
  }
}

TEST_F(AskingAgain, OperatorsAndLongTextsAreNotMatched) {
  add(kLibrary);
  asked("Where does the kaka live?");
  AskOptions operators = quoting();
  operators.search.operators = true;
  Trace trace;
  EXPECT_EQ(asked(*kb_, "where does the +kaka live", &trace, operators).matched_question, "");
  EXPECT_FALSE(notes_of(trace, "ask.semantic"));
  const std::string courtesies =
      "where does the kaka live" + std::string(SemanticCache::kQuestionBytesMax, '?');
  EXPECT_EQ(asked(courtesies).matched_question, "");
  EXPECT_EQ(use().entries, 1u);
}

TEST_F(AskingAgain, AfterACommitTheAnswerIsTheNewOne) {
  add(kLibrary);
  const Answer before = asked("Where does the kaka live?");
  for (const char* place : {"west", "east", "middle"}) {
    add({{"kaka.txt", fmt::format("The kaka lives in the {}.", place), {}}});
    const Answer after = asked("could you tell me where the kaka live?");
    EXPECT_EQ(after.matched_question, "Where does the kaka live?");
    EXPECT_NE(after.text, before.text);
    EXPECT_NE(after.text.find(place), std::string::npos);
    EXPECT_EQ(after.text, afresh("Where does the kaka live?").text);
  }
}

TEST_F(AskingAgain, WhereNothingIsFoundThereIsNothingToMatch) {
  add(kLibrary);
  EXPECT_FALSE(asked("zebra quagga?").found);
  EXPECT_EQ(use().entries, 0u);
  ASSERT_TRUE(asked("Where does the kaka live?").found);
  EXPECT_EQ(use().entries, 1u);
  // A filter under which there is no answer says nothing of the others'.
  AskOptions elsewhere = quoting();
  elsewhere.search.filter = Filter::parse(R"(path == "nowhere.txt")");
  EXPECT_FALSE(asked(*kb_, "please, where does the kaka live?", nullptr, elsewhere).found);
  EXPECT_EQ(use().entries, 1u);
  for (const char* path : {"kaka.txt", "kea.txt", "卡卡.txt"})
    remove_documents(*writer_, documents_under(*writer_, path));
  const Answer gone = asked("please, where does the kaka live?");
  EXPECT_EQ(gone.found, afresh("please, where does the kaka live?").found);
  EXPECT_FALSE(gone.found);
  EXPECT_EQ(gone.matched_question, "");
  EXPECT_EQ(use().entries, 0u);
}

TEST_F(AskingAgain, WhoseMatchIsGoneIsAnsweredForItself) {
  add(kLibrary);
  add({{"words.txt", "Fifty is written here.", {}}, {"digits.txt", "Here stands 50.", {}}});
  ASSERT_TRUE(asked("fifty").found);
  EXPECT_EQ(asked("50?").matched_question, "fifty");
  remove_documents(*writer_, documents_under(*writer_, "words.txt"));
  ASSERT_FALSE(afresh("fifty").found);
  const Answer answer = asked("50?");
  EXPECT_EQ(answer.matched_question, "");
  EXPECT_TRUE(answer.found);
  EXPECT_EQ(answer.text, afresh("50?").text);
  EXPECT_EQ(asked("fifty").matched_question, "50?") << "that is what is kept now";
}

const std::vector<std::string> kWordings = {"My card was stolen, what should I do?",
                                            "Someone took my card yesterday",
                                            "I lost my card on the bus",
                                            "help, a thief has my card",
                                            "I want to report a missing card",
                                            "my card is gone",
                                            "I can not find my card anywhere",
                                            "card disappeared from my wallet"};
constexpr const char* kOtherWording = "It seems that my card was left in a taxi";

TEST_F(AskingAgain, WordingsWithOneAnswerAnswerAnotherWording) {
  add({{"card.txt", "A stolen, lost, missing or disappeared card is blocked at once: call 555.", {}}});
  CacheSettings without_vectors = cache_settings();
  without_vectors.embeddings.on = false;
  for (const CacheSettings& settings : {cache_settings(), without_vectors}) {
    const auto kb = open(SegmentStore::Access::read, settings);
    for (const std::string& wording : kWordings) {
      const std::size_t before = embedded_;
      const Answer answer = asked(*kb, wording);
      ASSERT_TRUE(answer.found) << wording;
      if (answer.matched_question.empty()) {
        EXPECT_EQ(embedded_, before + 1) << "once for matching and searching";
      }
    }
    Trace trace;
    const std::size_t before = embedded_;
    const Answer answer = asked(*kb, kOtherWording, &trace);
    ASSERT_NE(answer.matched_question, "") << *notes_of(trace, "ask.semantic");
    EXPECT_NE(notes_of(trace, "ask.semantic")->find("match=same meaning"), std::string::npos);
    EXPECT_EQ(embedded_, before + 1);
    EXPECT_EQ(answer.text, afresh(answer.matched_question).text);
  }
}

TEST_F(AskingAgain, ManyThreadsAreAnsweredAsOneWouldBe) {
  add(kLibrary);
  const std::vector<std::string> questions = {"Where does the kaka live?",
                                              "please, where does the kaka live",
                                              "Where does the kea live?",
                                              "Tell me where the kea live",
                                              "What was seen in 1880?",
                                              "What was seen in 1856?",
                                              "卡卡鸟住在哪里？",
                                              "请问卡卡鸟住在哪里",
                                              "Who made C++?"};
  const auto small = open(SegmentStore::Access::read, cache_settings(0.01, 3));  // much comes and goes
  std::vector<std::string> wanted;
  for (const std::string& question : questions) wanted.push_back(afresh(question).text);
  std::atomic<std::size_t> others = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 60; ++i) {
          const std::size_t q = (i * 7 + t) % questions.size();
          const Answer answer = asked(*small, questions[q]);
          others += answer.text != wanted[q] && answer.text != afresh(answer.matched_question).text;
        }
      });
    }
  }
  EXPECT_EQ(others, 0u);
  const CacheUse use = *small->semantic_cache.use();
  EXPECT_EQ(use.hits + use.misses, 360u);
  EXPECT_LE(use.entries, 3u);
  EXPECT_GT(use.hits, 0u);
  EXPECT_GT(use.evicted, 0u);
}

TEST_F(AskingAgain, AVectorOfNoDirectionCostsNoAnswer) {
  add(kLibrary);
  asked("Where does the kaka live?");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(asked("zero: where does the kea live?").text, afresh("zero: where does the kea live?").text);
  }
}

// ---- the cache alone ----

QuestionVector card_vector(std::string_view text) { return {"cards", CardEmbedder::vector_of(text)}; }

SemanticMatch match(SemanticCache& cache, std::string_view text, std::uint64_t options = 0) {
  const QuestionVector vector = card_vector(text);
  return cache.match(AskedQuestion(text, options), [&] { return &vector; });
}

void add(SemanticCache& cache, std::string_view text, std::string_view answer, std::uint64_t options = 0) {
  const QuestionVector vector = card_vector(text);
  cache.add(AskedQuestion(text, options), &vector, answer);
}

class Wordings : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& wording : kWordings) add(cache_, wording, "call 555");
  }
  SemanticCache cache_{cache_settings()};
};

TEST_F(Wordings, AnotherOneIsMatched) {
  const SemanticMatch found = match(cache_, kOtherWording);
  EXPECT_EQ(found.kind, Kind::meaning);
  EXPECT_GE(found.agreeing, 4u);
}

TEST_F(Wordings, AnAnswerUnderOtherOptionsIsNoEvidence) {
  EXPECT_EQ(match(cache_, kOtherWording, 1).kind, Kind::none);
  EXPECT_EQ(match(cache_, "please, " + kWordings[2], 1).kind, Kind::words) << "the same words are";
}

TEST_F(Wordings, TheLatestAnswersCount) {
  const SemanticMatch before = match(cache_, kOtherWording);
  const std::uint64_t third = match(cache_, kWordings[2]).id;
  for (const std::string& wording : kWordings) {
    const std::uint64_t id = match(cache_, wording).id;
    if (id != third) cache_.answered(id, 0, "of its own: " + wording);
  }
  EXPECT_EQ(before.kind, Kind::meaning);
  EXPECT_EQ(match(cache_, kOtherWording).kind, Kind::none);
}

TEST(SemanticCache, OneSentenceMayAnswerManyQuestions) {
  SemanticCache cache(cache_settings(0.05));
  for (const char* question : {"Who got a card?", "When did they get a card?", "How many got a card?",
                               "How many did not get a card?", "Did 12 get a card?", "Was there a card?"}) {
    add(cache, question, "Twelve got a card in 1969.");
  }
  for (const char* question :
       {"Since what year has anybody had a card?", "Is it that the card was for twelve?"}) {
    const SemanticMatch found = match(cache, question);
    EXPECT_EQ(found.kind, Kind::none) << question << " / " << found.question;
    EXPECT_EQ(found.agreeing, 1u);
  }
}

TEST_F(Wordings, AnotherLanguageIsNot) {
  EXPECT_EQ(match(cache_, "我的卡好像落在出租车上了").kind, Kind::none);
  EXPECT_EQ(match(cache_, "je crois que j'ai perdu la carte, une card").kind, Kind::none);
}

TEST_F(Wordings, AnotherEmbedderBeginsAnew) {
  const QuestionVector other{"another", {1, 2, 3}};
  const AskedQuestion asked("Who wrote Hamlet?", 0);
  EXPECT_EQ(cache_.match(asked, [&] { return &other; }).kind, Kind::none);
  cache_.add(asked, &other, "Shakespeare");
  EXPECT_EQ(cache_.use()->entries, 1u);
  EXPECT_EQ(match(cache_, kWordings[0]).kind, Kind::none);
}

TEST_F(Wordings, ADroppedOneIsMatchedNoMore) {
  for (const std::string& wording : kWordings) {
    const std::uint64_t id = match(cache_, wording).id;
    cache_.not_found(id, 1);  // under other options
    EXPECT_EQ(match(cache_, wording).id, id);
    cache_.not_found(id, 0);
    cache_.not_found(id, 0);
    EXPECT_NE(match(cache_, wording).kind, Kind::words);
  }
  EXPECT_EQ(cache_.use()->entries, 0u);
  EXPECT_EQ(match(cache_, kOtherWording).question, "");
}

TEST(SemanticCache, ALanguageHasItsOwnQuestions) {
  SemanticCache cache(cache_settings());
  add(cache, "GPU", "a graphics processor");
  EXPECT_EQ(match(cache, "请问GPU是什么").kind, Kind::none);
  EXPECT_EQ(match(cache, "请问：GPU").kind, Kind::none)
      << "the same words, and an answer in Chinese is wanted";
  EXPECT_EQ(match(cache, "please, GPU").kind, Kind::words);
}

TEST(SemanticCache, LightWordsCountWhereNoErrorIsTolerated) {
  SemanticCache lenient(cache_settings(0.01)), strict(cache_settings(0.001));
  for (SemanticCache* cache : {&lenient, &strict}) add(*cache, "Who wrote the Hamlet?", "Shakespeare");
  EXPECT_EQ(match(lenient, "who wrote Hamlet").kind, Kind::words);
  EXPECT_EQ(match(strict, "who wrote Hamlet").kind, Kind::none);
  add(strict, "who wrote Hamlet", "Shakespeare");
  EXPECT_EQ(match(strict, "WHO WROTE HAMLET").question, "who wrote Hamlet");
  EXPECT_EQ(match(strict, "WHO WROTE THE HAMLET").question, "Who wrote the Hamlet?");
}

TEST(SemanticCache, TheLeastRecentlyUsedGoFirst) {
  SemanticCache cache(cache_settings(0.01, 3));
  const auto question = [](int i) { return fmt::format("Who won the cup in {}?", 1950 + i); };
  add(cache, question(0), "0");
  for (int i = 1; i < 200; ++i) {
    EXPECT_EQ(match(cache, question(0)).kind, Kind::words) << i;
    add(cache, question(i), std::to_string(i));
    add(cache, question(i), "again, from another thread");
  }
  EXPECT_EQ(match(cache, question(199)).kind, Kind::words);
  EXPECT_EQ(match(cache, question(100)).kind, Kind::none);
  EXPECT_EQ(cache.use()->entries, 3u);
  EXPECT_EQ(cache.use()->puts, 200u);
  EXPECT_EQ(cache.use()->evicted, 197u);
  EXPECT_LT(cache.use()->bytes, 20'000u);
}

TEST(SemanticCache, SettingsOutOfRangeAreRefused) {
  for (const double rate : {0.0, -0.1, 0.51, std::nan("")}) {
    const Error error = error_of([&] { SemanticCache cache(cache_settings(rate)); });
    EXPECT_EQ(error.code(), Code::invalid) << rate;
    EXPECT_NE(std::string(error.what()).find("takes a number above 0, up to 0.5"), std::string::npos);
  }
  EXPECT_EQ(error_of([&] { SemanticCache cache(cache_settings(0.01, 0)); }).code(), Code::invalid);
}

}  // namespace
}  // namespace hasten
