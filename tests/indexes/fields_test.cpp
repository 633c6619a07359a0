// Columns of fields against Filter::matches() over all rows: the same sets, whatever the fields, the filter
// and what has changed.
#include "indexes/fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <random>

#include "hasten/error.hpp"
#include "indexes/fields_filter.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;
using Random = std::mt19937_64;

template <class T>
const T& one_of(Random& random, const std::vector<T>& all) {
  return all[random() % all.size()];
}

const std::vector<std::string> kFields = {"a", "b", "c", "tag", "标题", "unused"};
const std::vector<std::string> kTexts = {"",      "a",         "ab", "abc",  "b",
                                         "docs/", "docs/x.md", "北", "北京", "say \"hi\"\\"};

Date random_date(Random& random) { return Date{static_cast<std::int32_t>(random() % 5) + 20'000}; }

std::int64_t random_integer(Random& random) {
  static const std::vector<std::int64_t> kSome = {0,
                                                  1,
                                                  2,
                                                  3,
                                                  -1,
                                                  9007199254740993,
                                                  std::numeric_limits<std::int64_t>::max(),
                                                  std::numeric_limits<std::int64_t>::min()};
  return one_of(random, kSome);
}

double random_real(Random& random) {
  static const std::vector<double> kSome = {
      0.0, -0.0, 0.5, 1.0, 2.0, 1e300, 9007199254740992.0, 9223372036854775808.0};
  return one_of(random, kSome);
}

Value random_value(Random& random) {
  switch (random() % 8) {
    case 0:
      return random() % 2 == 0;
    case 1:
      return random_integer(random);
    case 2:
      return random() % 20 == 0 ? std::numeric_limits<double>::quiet_NaN() : random_real(random);
    case 3:
      return random_date(random);
    case 4: {
      std::vector<std::string> list;
      for (std::size_t n = random() % 4; n > 0; --n) list.push_back(one_of(random, kTexts));
      return list;
    }
    case 5:
      return fmt::format("docs/{}", random() % 1000);  // rarely the same
    default:
      return one_of(random, kTexts);
  }
}

Metadata random_fields(Random& random) {
  Metadata fields;
  for (const auto& field : kFields) {
    if (field != "unused" && random() % 3 != 0) fields[field] = random_value(random);
  }
  return fields;
}

Value random_literal(Random& random) {
  switch (random() % 6) {
    case 0:
      return random() % 2 == 0;
    case 1:
      return random_integer(random);
    case 2:
      return random_real(random);
    case 3:
      return random_date(random);
    default:
      return one_of(random, kTexts);
  }
}

using Expression = Filter::Expression;
using Kind = Expression::Kind;

Expression random_expression(Random& random, int depth = 0) {
  static const std::vector<Kind> kConditions = {Kind::equal,      Kind::not_equal, Kind::less,
                                                Kind::less_equal, Kind::greater,   Kind::greater_equal,
                                                Kind::in,         Kind::prefix,    Kind::exists};
  static const std::vector<Kind> kJoins = {Kind::any_of, Kind::all_of, Kind::negation};
  Expression made{.kind =
                      depth < 4 && random() % 2 == 0 ? one_of(random, kJoins) : one_of(random, kConditions)};
  if (made.kind == Kind::any_of || made.kind == Kind::all_of || made.kind == Kind::negation) {
    const std::size_t n = made.kind == Kind::negation ? 1 : 2 + random() % 2;
    for (std::size_t i = 0; i < n; ++i) made.children.push_back(random_expression(random, depth + 1));
    return made;
  }
  made.field = one_of(random, kFields);
  if (made.kind == Kind::prefix) {
    made.literals.emplace_back(one_of(random, kTexts));
  } else if (made.kind != Kind::exists) {
    const std::size_t n = made.kind == Kind::in ? random() % 4 : 1;
    for (std::size_t i = 0; i < n; ++i) made.literals.push_back(random_literal(random));
  }
  return made;
}

/// A segment with what is deleted in it.
struct Part {
  std::unique_ptr<MemorySegment> memory = std::make_unique<MemorySegment>();
  std::unique_ptr<FieldsSegment> open;
  std::vector<std::uint64_t> deleted;

  void reopen() { open = std::make_unique<FieldsSegment>(*memory); }
  void remove(std::uint64_t key) {
    const std::size_t at = open->find(key);
    if (at == open->size()) return;
    deleted.resize(Bitmap::words_for(open->size()));
    deleted[at / 64] |= std::uint64_t{1} << (at % 64);
  }
  FieldsInput input() const { return {open.get(), Tombstones(deleted)}; }
};

/// Rows as the truth has them, and segments that follow their changes.
class Rows {
 public:
  struct Row {
    std::uint32_t document;
    Metadata fields;
    bool operator==(const Row&) const = default;
  };

  /// Puts rows, new ones and changed ones, in one commit.
  void put(const std::map<std::uint64_t, Row>& batch) {
    FieldsBuilder builder;
    for (const auto& [key, row] : batch) {
      remove(key);
      rows_[key] = row;
      builder.add(key, row.document, row.fields);
    }
    Part part;
    builder.write(*part.memory);
    part.reopen();
    parts_.push_back(std::move(part));
  }

  void remove(std::uint64_t key) {
    rows_.erase(key);
    for (Part& part : parts_) part.remove(key);
  }

  void merge(std::size_t first, std::size_t last) {
    const auto all = inputs();
    Part merged;
    merge_fields(std::span(all).subspan(first, last - first), *merged.memory);
    merged.reopen();
    parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(first),
                 parts_.begin() + static_cast<std::ptrdiff_t>(last));
    parts_.push_back(std::move(merged));
  }

  std::vector<FieldsInput> inputs() const {
    std::vector<FieldsInput> inputs;
    for (const Part& part : parts_) inputs.push_back(part.input());
    return inputs;
  }

  const std::map<std::uint64_t, Row>& rows() const { return rows_; }
  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::map<std::uint64_t, Row> rows_;
  std::vector<Part> parts_;
};

std::vector<std::uint32_t> numbers(const DocumentSet& set) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < set.words().size() * 64; ++i) {
    if (set.test(i)) found.push_back(i);
  }
  return found;
}

void expect_as_rows_say(const Rows& documents, const Expression& expression) {
  std::vector<std::uint32_t> wanted;
  for (const auto& [key, row] : documents.rows()) {
    if (evaluate(expression, row.fields)) wanted.push_back(row.document);
  }
  const FieldsAnswer answer = match_documents(documents.inputs(), expression);
  ASSERT_EQ(numbers(answer.documents), wanted) << to_string(expression);
  ASSERT_EQ(answer.documents.count(), wanted.size()) << to_string(expression);
  ASSERT_EQ(answer.documents.documents(), documents.rows().size());
  ASSERT_EQ(answer.steps.front().passed, wanted.size());
}

void change(Rows& rows, Random& random) {
  const auto random_key = [&] { return 1 + random() % 300; };
  const std::size_t action = random() % 10;
  if (action < 5) {
    std::map<std::uint64_t, Rows::Row> batch;
    for (std::size_t n = 1 + random() % 120; n > 0; --n) {
      const std::uint64_t key = random_key();
      batch[key] = {static_cast<std::uint32_t>(key), random_fields(random)};
    }
    rows.put(batch);
  } else if (action < 8) {
    for (std::size_t n = random() % 50; n > 0; --n) rows.remove(random_key());
  }
  if (rows.parts().size() > 4 || (action == 8 && !rows.parts().empty())) {
    const std::size_t first = random() % rows.parts().size();
    rows.merge(first, first + 1 + random() % (rows.parts().size() - first));
  }
}

TEST(Fields, RandomFiltersOverRandomChangesPassWhatTheRowsSay) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    Rows documents;
    for (int step = 0; step < 12; ++step) {
      change(documents, random);
      for (int i = 0; i < 12; ++i) {
        expect_as_rows_say(documents, random_expression(random));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Fields, NodesHaveTheirDocumentsFieldsAndTheirOwnOverThem) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Rows documents, nodes;
    for (int step = 0; step < 8; ++step) {
      change(documents, random);
      std::map<std::uint64_t, Rows::Row> batch;
      for (std::uint64_t i = random() % 60; i > 0; --i) {
        const std::uint64_t key = 1 + random() % 500;
        auto fields = random_fields(random);
        fields.erase("a");  // of documents alone
        if (!fields.empty()) batch[key] = {static_cast<std::uint32_t>(1 + key % 300), fields};
      }
      nodes.put(batch);
      if (step % 3 == 2) nodes.merge(0, nodes.parts().size());
      for (int i = 0; i < 12; ++i) {
        const Expression expression = random_expression(random);
        const NodesAnswer answer = match_nodes(nodes.inputs(), documents.inputs(), expression);
        const DocumentSet whole = match_documents(documents.inputs(), expression).documents;
        for (const auto& [key, row] : nodes.rows()) {
          Metadata fields = row.fields;
          const auto document = documents.rows().find(row.document);
          if (document != documents.rows().end()) {
            fields.insert(document->second.fields.begin(), document->second.fields.end());
          } else {
            continue;  // its document is gone, and it with it
          }
          const bool passes = answer.decisions.of(key).value_or(whole.test(row.document));
          ASSERT_EQ(passes, evaluate(expression, fields)) << to_string(expression) << " of node " << key;
        }
        ASSERT_FALSE(answer.decisions.of(501));
      }
    }
  }
}

TEST(Fields, MergingWritesWhatBuildingWould) {
  Random random(7);
  Rows rows;
  for (int step = 0; step < 20; ++step) change(rows, random);
  MemorySegment merged, built;
  merge_fields(rows.inputs(), merged);
  FieldsBuilder builder;
  for (const auto& [key, row] : rows.rows()) builder.add(key, row.document, row.fields);
  builder.write(built);
  EXPECT_TRUE(merged == built);
}

TEST(Fields, AnEmptySegmentHoldsNothing) {
  Rows rows;
  rows.put({});
  EXPECT_EQ(match_documents(rows.inputs(), Expression{.kind = Kind::exists, .field = "a"}).documents.count(),
            0U);
  EXPECT_EQ(match_documents({}, Expression{.kind = Kind::exists, .field = "a"}).documents.count(), 0U);
}

TEST(Fields, EachKindOfIndexAnswersWhatItIsFor) {
  Rows rows;
  std::map<std::uint64_t, Rows::Row> batch;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    batch[i] = {i,
                {{"lang", std::string(i % 4 == 0 ? "zh" : "en")},
                 {"path", fmt::format("docs/{:04}.md", i)},
                 {"size", std::int64_t{i}},
                 {"date", Date{static_cast<std::int32_t>(20'000 + i % 700)}},
                 {"draft", i % 10 == 0},
                 {"tag", std::vector<std::string>{fmt::format("t{}", i % 3), fmt::format("u{}", i % 400)}}}};
    if (i == 5) batch[i].fields["rare"] = 0.5;
  }
  rows.put(batch);
  struct Case {
    std::string filter, index;
    double expected;
  };
  const Case cases[] = {
      {R"(lang == "zh")", "dictionary, bitmaps", 250},
      {R"(path in ["docs/0007.md", "docs/0008.md", "x"])", "dictionary, lists", 2},
      {R"(prefix(path, "docs/00"))", "dictionary range, lists", 100},
      {R"(prefix(lang, "z"))", "dictionary range, bitmaps", 250},
      {"size >= 900", "sorted values, lists", 100},
      {"size != 900", "sorted values, lists", 999},
      {R"(date < date("2024-10-05"))", "sorted values, lists", 2},
      {"draft == true", "sorted values, bitmaps", 100},
      {R"(tag == "u7")", "dictionary, lists", 3},
      {"exists(rare)", "presence", 1},
      {"rare > 0 and size < 100", "", 0.1},
      {R"(nothing == 1)", "", 0},
  };
  for (const Case& c : cases) {
    const Filter filter = Filter::parse(c.filter);
    const FieldsAnswer answer = match_documents(rows.inputs(), *filter.expression());
    EXPECT_EQ(answer.steps.front().index, c.index) << c.filter;
    EXPECT_NEAR(answer.steps.front().expected, c.expected, 1e-9) << c.filter;
    expect_as_rows_say(rows, *filter.expression());
  }
}

TEST(Fields, TheConditionThatPassesLeastIsAskedFirst) {
  Rows rows;
  std::map<std::uint64_t, Rows::Row> batch;
  for (std::uint32_t i = 0; i < 100; ++i) batch[i] = {i, {{"size", std::int64_t{i}}}};
  rows.put(batch);
  const Filter filter = Filter::parse("size >= 1 and size > 1000");
  const FieldsAnswer answer = match_documents(rows.inputs(), *filter.expression());
  EXPECT_FALSE(answer.steps[1].looked_at);
  EXPECT_TRUE(answer.steps[2].looked_at);
}

TEST(Fields, TheTextOfAnExpressionParsesToTheSameAgain) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = to_string(random_expression(random));
    EXPECT_EQ(to_string(*Filter::parse(text).expression()), text);
  }
}

}  // namespace
}  // namespace hasten
