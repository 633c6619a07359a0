#include "indexes/fields_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using Expression = Filter::Expression;
using Kind = Expression::Kind;

// What of one column answers a condition: ranges of its values, all of it, or all but ranges.
struct ColumnUse {
  FieldColumn column;
  std::vector<ValueRange> ranges;
  enum class Of { ranges, present, present_but_ranges } of = Of::ranges;

  double expected() const {
    const auto present = static_cast<double>(column.present());
    double found = 0;
    for (const ValueRange& range : ranges) found += static_cast<double>(column.postings(range));
    found = std::min(found, present);
    if (of == Of::present) return present;
    return of == Of::ranges ? found : present - found;
  }

  Bitmap entries() const {
    if (of == Of::present) return column.present_entries();
    Bitmap found = ranges.empty() ? column.entries({}) : column.entries(ranges.front());
    for (std::size_t i = 1; i < ranges.size(); ++i) column.add_entries(ranges[i], found);
    if (of == Of::ranges) return found;
    Bitmap rest = column.present_entries();
    rest.remove(found.words());
    return rest;
  }

  std::string_view index(Kind kind) const {
    if (of == Of::present) return "presence";
    const bool bitmaps = column.has_bitmaps();
    if (!fields_layout::is_text(column.type()))
      return bitmaps ? "sorted values, bitmaps" : "sorted values, lists";
    if (kind == Kind::prefix) return bitmaps ? "dictionary range, bitmaps" : "dictionary range, lists";
    return bitmaps ? "dictionary, bitmaps" : "dictionary, lists";
  }
};

ValueRange range_of(const FieldColumn& column, Kind kind, const Value& literal) {
  switch (kind) {
    case Kind::less:
      return {0, column.below(literal, false)};
    case Kind::less_equal:
      return {0, column.below(literal, true)};
    case Kind::greater:
      return {column.below(literal, true), column.values()};
    case Kind::greater_equal:
      return {column.below(literal, false), column.values()};
    default:
      return column.equal_to(literal);
  }
}

bool has_order(Kind kind) {
  return kind == Kind::less || kind == Kind::less_equal || kind == Kind::greater ||
         kind == Kind::greater_equal;
}

std::optional<ColumnUse> use_of(const FieldColumn& column, const Expression& condition) {
  using Of = ColumnUse::Of;
  const bool list = column.type() == fields_layout::kList;
  if (condition.kind == Kind::exists) return ColumnUse{column, {}, Of::present};
  if (condition.kind == Kind::prefix) {
    if (!fields_layout::is_text(column.type())) return std::nullopt;
    return ColumnUse{column, {column.with_prefix(std::get<std::string>(condition.literals.front()))}};
  }
  if (list && has_order(condition.kind)) return std::nullopt;
  ColumnUse use{column, {}};
  bool comparable = false;
  for (const Value& literal : condition.literals) {
    if (!column.compares_with(literal)) continue;
    comparable = true;
    use.ranges.push_back(range_of(column, condition.kind, literal));
  }
  if (!comparable) return std::nullopt;
  if (condition.kind == Kind::not_equal) use.of = Of::present_but_ranges;
  return use;
}

std::vector<ColumnUse> uses_of(const FieldsSegment& segment, const Expression& condition) {
  std::vector<ColumnUse> uses;
  for (const FieldColumn& column : segment.columns(condition.field)) {
    if (auto use = use_of(column, condition)) uses.push_back(std::move(*use));
  }
  return uses;
}

Bitmap entries_of(const FieldsSegment& segment, std::span<const ColumnUse> uses) {
  Bitmap found(segment.size());
  for (const ColumnUse& use : uses) found.add(use.entries().words());
  return found;
}

bool is_condition(const Expression& expression) {
  return expression.kind != Kind::any_of && expression.kind != Kind::all_of &&
         expression.kind != Kind::negation;
}

void add_steps(const Expression& expression, int depth, std::vector<FilterStep>& steps) {
  FilterStep step;
  step.depth = depth;
  step.condition = is_condition(expression)          ? to_string(expression)
                   : expression.kind == Kind::any_of ? "or"
                   : expression.kind == Kind::all_of ? "and"
                                                     : "not";
  steps.push_back(std::move(step));
  for (const auto& child : expression.children) add_steps(child, depth + 1, steps);
}

/// An expression over one segment: what of its columns will answer, and the share that will pass. Shares
/// of parts are taken as independent of each other.
struct Plan {
  const Expression* expression;
  FilterStep* step;
  double share = 0;
  std::vector<ColumnUse> uses;
  std::vector<Plan> children;
};

class Evaluation {
 public:
  Evaluation(const FieldsInput& input, std::vector<FilterStep>& steps) : input_(input), next_(steps.data()) {}

  Bitmap run(const Expression& expression) {
    if (input_.segment->size() == 0) return Bitmap();
    return evaluate(plan(expression));
  }

 private:
  Plan plan(const Expression& expression) {
    Plan made{&expression, next_++, 0, {}, {}};
    for (const auto& child : expression.children) made.children.push_back(plan(child));
    const auto entries = static_cast<double>(input_.segment->size());
    if (is_condition(expression)) {
      made.uses = uses_of(*input_.segment, expression);
      for (const ColumnUse& use : made.uses) made.share += use.expected() / entries;
      if (!made.uses.empty()) made.step->index = made.uses.front().index(expression.kind);
    } else {
      made.share = joined_share(made);
    }
    made.step->expected += made.share * entries;
    return made;
  }

  static double joined_share(Plan& made) {
    const auto by_share = [](const Plan& a, const Plan& b) { return a.share < b.share; };
    std::ranges::stable_sort(made.children, by_share);
    if (made.expression->kind == Kind::negation) return 1 - made.children.front().share;
    const bool all = made.expression->kind == Kind::all_of;
    if (!all) std::ranges::reverse(made.children);
    double product = 1;
    for (const Plan& child : made.children) product *= all ? child.share : 1 - child.share;
    return all ? product : 1 - product;
  }

  Bitmap evaluate(const Plan& plan) {
    Bitmap found = is_condition(*plan.expression) ? entries_of(*input_.segment, plan.uses) : join(plan);
    found.remove(input_.deleted.words());
    plan.step->passed += found.count();
    plan.step->looked_at = true;
    return found;
  }

  Bitmap join(const Plan& plan) {
    Bitmap found = evaluate(plan.children.front());
    if (plan.expression->kind == Kind::negation) found.flip();
    for (std::size_t i = 1; i < plan.children.size(); ++i) {
      if (plan.expression->kind == Kind::any_of) {
        found.add(evaluate(plan.children[i]).words());
      } else if (found.any()) {
        found.keep(evaluate(plan.children[i]).words());
      }
    }
    return found;
  }

  const FieldsInput& input_;
  FilterStep* next_;
};

std::uint32_t checked_document(std::uint64_t key) {
  if (key > UINT32_MAX) throw Error(Code::damaged, fmt::format("a segment of fields names document {}", key));
  return static_cast<std::uint32_t>(key);
}

// Adds the documents of some entries. Keys rise, so where the last is as far from the first as its position,
// all between follow each other: mostly so in the whole segment, and then no other key is read.
void add_documents(const FieldsSegment& segment, const Bitmap& entries, DocumentSet& documents) {
  const auto words = entries.words();
  if (words.empty()) return;
  const auto follow = [&](std::size_t first, std::size_t last) {
    return segment.key(last) - segment.key(first) == last - first;
  };
  const std::uint64_t first_key = segment.key(0);
  const bool all_follow = follow(0, segment.size() - 1);
  for (std::size_t w = 0; w < words.size(); ++w) {
    if (words[w] == 0) continue;
    const std::size_t first = w * 64, last = std::min(first + 63, segment.size() - 1);
    if (all_follow || follow(first, last)) {
      const std::uint64_t key = all_follow ? first_key + first : segment.key(first);
      checked_document(key + (last - first));
      documents.add(static_cast<std::uint32_t>(key), words[w]);
      continue;
    }
    for (std::uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
      documents.add(checked_document(segment.key(first + static_cast<std::size_t>(std::countr_zero(bits)))));
    }
  }
}

std::size_t count_live(std::span<const FieldsInput> inputs) {
  std::size_t live = 0;
  for (const FieldsInput& input : inputs) {
    Bitmap alive(input.segment->size());
    alive.add(input.deleted.words());
    live += input.segment->size() - alive.count();
  }
  return live;
}

/// Answers an expression for the nodes of one segment.
class NodeEvaluation {
 public:
  NodeEvaluation(const FieldsInput& input, std::span<const FieldsInput> documents)
      : input_(input), segment_(*input.segment), of_entry_(segment_.documents()), documents_(documents) {}

  Bitmap evaluate(const Expression& expression) const {
    if (!mentions(expression, [&](const auto& field) { return has(field); })) return inherited(expression);
    if (is_condition(expression)) return own_or_inherited(expression);
    Bitmap found = evaluate(expression.children.front());
    if (expression.kind == Kind::negation) found.flip();
    for (std::size_t i = 1; i < expression.children.size(); ++i) {
      const Bitmap other = evaluate(expression.children[i]);
      if (expression.kind == Kind::any_of)
        found.add(other.words());
      else
        found.keep(other.words());
    }
    return found;
  }

  bool has(const std::string& field) const { return !segment_.columns(field).empty(); }

  // The live nodes that have a field which is mentioned.
  Bitmap decided(const Expression& expression) const {
    Bitmap found = own(expression.field);
    for (const auto& child : expression.children) found.add(decided(child).words());
    found.remove(input_.deleted.words());
    return found;
  }

 private:
  Bitmap own(const std::string& field) const {
    Bitmap found(segment_.size());
    for (const FieldColumn& column : segment_.columns(field)) found.add(column.present_entries().words());
    return found;
  }

  Bitmap inherited(const Expression& expression) const {
    const DocumentSet documents = match_documents(documents_, expression).documents;
    Bitmap found(segment_.size());
    for (std::size_t i = 0; i < of_entry_.size(); ++i) {
      if (documents.test(of_entry_[i])) found.set(i);
    }
    return found;
  }

  Bitmap own_or_inherited(const Expression& condition) const {
    Bitmap found = inherited(condition);
    found.remove(own(condition.field).words());
    found.add(entries_of(segment_, uses_of(segment_, condition)).words());
    return found;
  }

  const FieldsInput& input_;
  const FieldsSegment& segment_;
  std::span<const std::uint32_t> of_entry_;
  std::span<const FieldsInput> documents_;
};

}  // namespace

FieldsAnswer match_documents(std::span<const FieldsInput> documents, const Expression& expression) {
  FieldsAnswer answer{DocumentSet(count_live(documents)), {}};
  add_steps(expression, 0, answer.steps);
  for (const FieldsInput& input : documents) {
    add_documents(*input.segment, Evaluation(input, answer.steps).run(expression), answer.documents);
  }
  return answer;
}

void NodeDecisions::decide(std::uint64_t node, bool passes) {
  packed_.push_back(node * 2 + (passes ? 1 : 0));
}

void NodeDecisions::finish() { std::ranges::sort(packed_); }

std::optional<bool> NodeDecisions::of(std::uint64_t node) const {
  const auto at = std::ranges::lower_bound(packed_, node * 2);
  if (at == packed_.end() || *at / 2 != node) return std::nullopt;
  return *at % 2 != 0;
}

std::optional<bool> NodeDecisions::Rising::of(std::uint64_t node) {
  while (next_ < packed_.size() && packed_[next_] / 2 < node) ++next_;
  if (next_ == packed_.size() || packed_[next_] / 2 != node) return std::nullopt;
  return packed_[next_] % 2 != 0;
}

NodesAnswer match_nodes(std::span<const FieldsInput> nodes, std::span<const FieldsInput> documents,
                        const Expression& expression) {
  NodesAnswer answer;
  for (const FieldsInput& input : nodes) {
    const NodeEvaluation evaluation(input, documents);
    if (!mentions(expression, [&](const auto& field) { return evaluation.has(field); })) continue;
    const Bitmap passes = evaluation.evaluate(expression);
    const auto keys = input.segment->keys();
    const auto of_entry = input.segment->documents();
    evaluation.decided(expression).for_each([&](std::size_t at) {
      answer.decisions.decide(keys[at], passes.test(at));
      if (passes.test(at)) answer.documents.push_back(of_entry[at]);
    });
  }
  answer.decisions.finish();
  return answer;
}

}  // namespace hasten
