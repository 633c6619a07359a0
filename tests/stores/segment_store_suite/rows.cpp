// What a segment store keeps of documents, texts, nodes and groups.

#include <array>
#include <functional>
#include <map>
#include <random>

#include "base/files.hpp"
#include "tests/stores/segment_store_suite/suite.hpp"
#include "tests/stores/store_model.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

TEST_F(SegmentStoreSuite, GivesBackWhatWasPut) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "first half second half");
  const auto reading = store.read();
  EXPECT_EQ(reading->seen(), 1u);
  const DocumentRow want = make_document("a.txt", "first half second half");
  const DocumentRow got = reading->document(made.document).value();
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.root, want.root);
  EXPECT_EQ(got.shown, want.shown);
  EXPECT_EQ(got.path, want.path);
  EXPECT_EQ(got.size, want.size);
  EXPECT_EQ(got.mtime_ns, want.mtime_ns);
  EXPECT_EQ(got.content_hash, want.content_hash);
  EXPECT_EQ(got.format, want.format);
  EXPECT_EQ(got.metadata, want.metadata);
  EXPECT_EQ(got.pages, want.pages);
  EXPECT_EQ(got.text_bytes, 22u);
  EXPECT_EQ(reading->find_document("/root", "a.txt")->number, made.document);
  EXPECT_FALSE(reading->find_document("/root", "b.txt"));
  EXPECT_TRUE(reading->has_document_id(want.id));
  EXPECT_FALSE(reading->has_document_id({1, 2}));
  EXPECT_EQ(reading->text(made.document), "first half second half");
  EXPECT_EQ(reading->text(made.document, {6, 10}), "half");
  EXPECT_EQ(reading->nodes_of(made.document).size(), 2u);
  EXPECT_EQ(reading->find_node(made.nodes[1].id)->number, made.nodes[1].number);
  EXPECT_EQ(reading->counts().nodes[0].second, 2u);
}

TEST_F(SegmentStoreSuite, KeepsEveryFieldOfANode) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "some text to cut");
  NodeRow derived = make_node(made.document, made.group, "some text to cut", {0, 4});
  derived.id = {7, 8};
  derived.derived = true;
  derived.text = std::string("a summary\0 with a zero", 22);
  derived.parent = made.nodes[0].id;
  derived.ordinal = 9;
  derived.metadata = {{"kind", "summary"}, {"day", Date{20000}}};
  NodeRow empty = derived;
  empty.id = {9, 9};
  empty.text = "";
  empty.metadata = {};
  empty.parent.reset();
  std::vector<NodeRow> rows = {derived, empty};
  {
    auto writing = store.write();
    writing->add_nodes(rows);
    writing->commit();
  }
  const auto reading = store.read();
  for (const NodeRow& row : rows) EXPECT_EQ(reading->find_node(row.id), row);
  const std::vector<NodeNumber> asked = {rows[1].number, 12345, rows[0].number};
  const std::vector<NodeRow> got = reading->nodes(asked);
  EXPECT_EQ(got, (std::vector<NodeRow>{rows[1], rows[0]}));
}

TEST_F(SegmentStoreSuite, UpdatesOnlyWhatMayMoveUnderANode) {
  SegmentStore& store = *open();
  Made made = put(store, "a.txt", "some text to cut");
  NodeRow moved = made.nodes[0];
  moved.span = {3, 5};
  moved.ordinal = 4;
  moved.parent = Id{1, 1};
  moved.metadata = {{"a", true}};
  NodeRow other = moved;
  other.text_hash = {5, 5};  // identity: stays as it was
  {
    auto writing = store.write();
    writing->update_nodes(std::array{other});
    writing->commit();
  }
  EXPECT_EQ(store.read()->find_node(moved.id), moved);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(SegmentStoreSuite, RefusesRowsThatContradictOthers) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "some text to cut");
  struct Case {
    const char* what;
    const char* code;
    std::function<void(SegmentStore::Writing&)> act;
  };
  const Case cases[] = {
      {"a path that is there", "invalid",
       [&](auto& w) {
         DocumentRow row = make_document("a.txt", "x");
         row.id = {1, 1};
         w.put_document(row, nullptr);
       }},
      {"an id that is there", "invalid",
       [&](auto& w) {
         DocumentRow row = make_document("a.txt", "x");
         row.path = "b.txt";
         w.put_document(row, nullptr);
       }},
      {"a document that is not there", "not_found",
       [&](auto& w) {
         DocumentRow row = make_document("b.txt", "x");
         row.number = 77;
         w.put_document(row, nullptr);
       }},
      {"a node's id that is there", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> again = {made.nodes[0]};
         w.add_nodes(again);
       }},
      {"a node of no document", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> rows = {make_node(77, made.group, "some", {0, 4})};
         w.add_nodes(rows);
       }},
      {"a node of no group", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> rows = {make_node(made.document, 77, "some", {0, 4})};
         w.add_nodes(rows);
       }},
      {"a node to update that is not there", "not_found",
       [&](auto& w) {
         NodeRow row = made.nodes[0];
         row.number = 77;
         w.update_nodes(std::array{row});
       }},
      {"two groups of one name and signature", "invalid",
       [&](auto& w) {
         GroupRow twin = w.groups().front();
         twin.id = 0;
         w.put_group(twin);
       }},
      {"vectors that were not appended", "invalid",
       [&](auto& w) {
         w.add_vectors("m", std::array{Id{1, 2}}, 0);
       }},
      {"a segment that is not there", "not_found", [&](auto& w) { w.update_segment_deleted({.id = 5}); }},
  };
  for (const Case& c : cases) {
    auto writing = store.write();
    EXPECT_EQ(code_thrown([&] { c.act(*writing); }), c.code) << c.what;
  }
  EXPECT_TRUE(store.verify().empty());
  EXPECT_EQ(store.read()->seen(), 1u);
}

TEST_F(SegmentStoreSuite, TextsOfAnyShapeComeBackWholeAndInParts) {
  SegmentStore& store = *open();
  std::mt19937 random(7);
  std::string chinese;
  while (chinese.size() < 200'000) chinese += "检索增强生成。";
  std::string bytes(150'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());  // not even UTF-8
  const std::vector<std::string> texts = {"",      "x",  std::string(65536, 'a'), std::string(65537, 'b'),
                                          chinese, bytes};
  std::vector<std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      numbers.push_back(writing->put_document(make_document(std::to_string(i), texts[i]), &texts[i]));
    }
    writing->commit();
  }
  const auto reading = store.read();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(reading->text(numbers[i]), texts[i]);
    for (int round = 0; round < 50 && !texts[i].empty(); ++round) {
      const std::uint64_t from = random() % texts[i].size();
      const std::uint64_t to = from + random() % (texts[i].size() - from + 1);
      EXPECT_EQ(reading->text(numbers[i], {from, to}), texts[i].substr(from, to - from));
    }
    EXPECT_EQ(code_thrown([&] {
                reading->text(numbers[i], {texts[i].size(), texts[i].size() + 1});
              }),
              "damaged");
  }
  EXPECT_EQ(code_thrown([&] { reading->text(99); }), "not_found");
}

TEST_F(SegmentStoreSuite, ManyDocumentsAndPartsOfTextsAreReadAtOnce) {
  SegmentStore& store = *open();
  std::vector<std::string> texts;
  for (int i = 0; i < 4; ++i) {
    std::string& text = texts.emplace_back();
    while (text.size() < 300'000)
      text += std::to_string(text.size() + i) + (i % 2 == 0 ? " words, " : "个字。");
  }
  texts.push_back(std::string(40'000'000, 'x') + "the end of a long one");
  std::vector<std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      numbers.push_back(writing->put_document(make_document(std::to_string(i), texts[i]), &texts[i]));
    }
    writing->commit();
  }
  const auto reading = store.read();
  const std::vector<std::uint32_t> asked = {numbers[3], 99, numbers[0], numbers[3]};
  std::vector<std::string> paths;
  for (const DocumentRow& row : reading->documents(asked)) paths.push_back(row.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"3", "0", "3"})) << "in the order asked, those that are there";
  EXPECT_TRUE(reading->documents({}).empty());

  std::mt19937 random(11);
  std::vector<TextPlace> places;
  std::vector<std::string> expected;
  const auto ask = [&](std::size_t of, std::uint64_t from, std::uint64_t to) {
    places.push_back({numbers[of], {from, to}});
    expected.push_back(texts[of].substr(from, to - from));
  };
  for (int i = 0; i < 100; ++i) {
    const std::size_t of = random() % 4;
    const std::uint64_t from = random() % texts[of].size();
    ask(of, from, std::min<std::uint64_t>(texts[of].size(), from + random() % (i % 10 == 0 ? 200'000 : 500)));
  }
  ask(1, 65'000, 66'000);
  ask(1, 65'500, 65'600);
  ask(0, 7, 7);
  ask(4, 0, texts[4].size());
  ask(4, 39'999'000, texts[4].size());
  ask(2, 0, 0);
  EXPECT_TRUE(reading->texts(places) == expected);
  EXPECT_TRUE(reading->texts({}).empty());
  places[50].span = {texts[0].size(), texts[0].size() + 1'000'000};
  EXPECT_EQ(code_thrown([&] { reading->texts(places); }), "damaged");
  places[50].span = {1, std::uint64_t{1} << 63};
  EXPECT_EQ(code_thrown([&] { reading->texts(places); }), "damaged");
  places[50] = {99, {0, 1}};
  EXPECT_EQ(code_thrown([&] { reading->texts(places); }), "damaged");
}

TEST_F(SegmentStoreSuite, ReplacingATextKeepsTheNumberAndCounts) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", std::string(100'000, 'x'));
  DocumentRow row = store.read()->document(made.document).value();
  {
    auto writing = store.write();
    writing->remove_nodes(std::array{made.nodes[0].number, made.nodes[1].number});
    const std::string text = "short";
    EXPECT_EQ(writing->put_document(row, &text), made.document);
    row.failed = true;
    row.error = Code::too_large;
    row.message = "now it is too large";
    writing->put_document(row, nullptr);  // keeps the text
    EXPECT_EQ(writing->counts().text_bytes, 5u);
    writing->commit();
  }
  const auto reading = store.read();
  EXPECT_EQ(reading->text(made.document), "short");
  EXPECT_EQ(reading->document(made.document)->error, Code::too_large);
  EXPECT_EQ(reading->counts().text_bytes, 5u);
  EXPECT_EQ(reading->counts().documents, 1u);
  EXPECT_EQ(reading->counts().documents_failed, 1u);
  EXPECT_EQ(reading->counts().nodes[0].second, 0u);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(SegmentStoreSuite, NamesMayHoldAnyBytesButNul) {
  SegmentStore& store = *open();
  const std::string odd = "\xff\xfe caf\xe9/\xe4\xb8\xad " + std::string(3'000, 'p');
  DocumentRow row = make_document(odd, "x");
  row.root = "/\xc3(" + std::string(2'000, 'r');
  row.message = std::string("nul\0within", 10);
  {
    auto writing = store.write();
    writing->set_setting("key \xff", std::string("a\0b", 3));
    const std::string text = "x";
    writing->put_document(row, &text);
    writing->commit();
  }
  const auto reading = store.read();
  const auto found = reading->find_document(row.root, odd);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, odd);
  EXPECT_EQ(found->message, row.message);
  EXPECT_EQ(reading->roots(), std::vector{row.root});
  EXPECT_EQ(reading->documents_under(row.root, odd.substr(0, odd.find('/'))), std::vector{found->number});
  EXPECT_TRUE(reading->documents_under(row.root, "other").empty());
  EXPECT_EQ(reading->setting("key \xff"), std::string("a\0b", 3));
}

TEST_F(SegmentStoreSuite, RootsAndFoldersNameTheirDocuments) {
  SegmentStore& store = *open();
  std::map<std::string, std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (const char* path : {"docs/b.md", "docs", "docs.md", "docs/a/c.md", "z"}) {
      const std::string text = "x";
      numbers[path] = writing->put_document(make_document(path, text), &text);
    }
    DocumentRow other = make_document("docs/b.md", "x");
    other.id = {1, 1};
    other.root = "/another";
    writing->put_document(other, nullptr);
    writing->commit();
  }
  const auto reading = store.read();
  EXPECT_EQ(reading->roots(), (std::vector<std::string>{"/another", "/root"}));
  const std::vector<std::uint32_t> docs = {numbers["docs"], numbers["docs/a/c.md"], numbers["docs/b.md"]};
  EXPECT_EQ(reading->documents_under("/root", "docs"), docs);
  EXPECT_EQ(reading->documents_under("/root", "docs/"), docs);
  EXPECT_EQ(reading->documents_under("/root", "").size(), 5u);
  EXPECT_TRUE(reading->documents_under("/nowhere", "").empty());
}

TEST_F(SegmentStoreSuite, NestedIterationWorks) {
  SegmentStore& store = *open();
  put(store, "a.txt", "some text");
  put(store, "b.txt", "more text");
  const auto reading = store.read();
  std::size_t pairs = 0;
  reading->for_each_document([&](const DocumentRow& outer) {
    reading->for_each_document([&](const DocumentRow& inner) {
      pairs += reading->text(inner.number).size() == reading->text(outer.number).size() ? 1 : 0;
    });
  });
  EXPECT_EQ(pairs, 4u);
}

TEST_F(SegmentStoreSuite, IterationsOfManyPagesAreWholeAndInOrder) {
  SegmentStore& store = *open();
  constexpr std::size_t kMany = 4'500;
  const Made made = put(store, "a.txt", "some text");
  std::vector<NodeRow> rows;
  for (std::size_t i = 0; i < kMany; ++i) {
    NodeRow row = make_node(made.document, made.group, "some text", {0, 4});
    row.id = id_of({"many", std::to_string(i)});
    rows.push_back(std::move(row));
  }
  {
    auto writing = store.write();
    writing->add_nodes(rows);
    writing->commit();
  }
  const auto reading = store.read();
  NodeNumber last = 0;
  std::size_t n = 0;
  reading->for_each_node(made.group, 0, UINT64_MAX, [&](const NodeRow& row) {
    EXPECT_GT(row.number, last);
    last = row.number;
    ++n;
  });
  EXPECT_EQ(n, kMany + 2);
  n = 0;
  reading->for_each_node(made.group, rows[10].number, rows[20].number, [&](const NodeRow&) { ++n; });
  EXPECT_EQ(n, 11u);
  EXPECT_EQ(reading->counts().nodes.at(0).second, kMany + 2);
}

TEST_F(SegmentStoreSuite, RemovingAGroupTakesItsNodesAndSegments) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "some text");
  embed_missing(store, "m");
  write_file(store.segments_folder() / "words", "bytes");
  {
    auto writing = store.write();
    writing->add_segment({.kind = "words", .group = made.group, .file = "words"});
    writing->commit();
  }
  auto writing = store.write();
  writing->remove_group(made.group);
  EXPECT_NE(writing->put_group({0, "Next", "root", "s"}), made.group) << "numbers never come again";
  writing->commit();
  EXPECT_TRUE(store.read()->nodes_of(made.document).empty());
  EXPECT_TRUE(store.read()->segments().empty());
  EXPECT_FALSE(fs::exists(store.segments_folder() / "words"));
  EXPECT_TRUE(store.verify().empty());
}

}  // namespace
}  // namespace hasten
