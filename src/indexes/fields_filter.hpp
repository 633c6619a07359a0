#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/bitmap.hpp"
#include "core/document_set.hpp"
#include "core/filter_expression.hpp"
#include "indexes/fields.hpp"

namespace hasten {

/// How one part of a filter was answered, over all segments; for people.
struct FilterStep {
  std::string condition;     ///< as text; of `and`, `or` and `not` that word alone
  int depth = 0;             ///< below the whole
  std::string index;         ///< what answered: "dictionary, bitmaps"; empty where parts were put together
  double expected = 0;       ///< entries that pass, estimated before anything was looked at
  std::uint64_t passed = 0;  ///< that did
  bool looked_at = false;    ///< false where the others had left nothing to ask it of
};

struct FieldsAnswer {
  DocumentSet documents;
  std::vector<FilterStep> steps;  ///< the whole first, then each part before the parts of it
};

/// The documents of which an expression holds: as Filter::matches() of the fields of each would say, from
/// columns alone. Of the parts of `and` and `or` the one that decides most comes first.
/// @param documents  segments whose entries are documents, each alive in one of them.
/// @throws Error(damaged)
FieldsAnswer match_documents(std::span<const FieldsInput> documents, const Filter::Expression& expression);

/// Nodes that are decided one by one, as they have fields of their own that an expression mentions.
class NodeDecisions {
 public:
  /// Nodes come in any order, each once.
  void decide(std::uint64_t node, bool passes);
  /// Ends deciding: from then on it can be asked.
  void finish();
  /// Whether this node passes; nothing where it does as its document does.
  std::optional<bool> of(std::uint64_t node) const;
  std::size_t size() const noexcept { return packed_.size(); }

  /// For asking of nodes in rising order: goes through all decisions once.
  class Rising {
   public:
    explicit Rising(const NodeDecisions& decisions) : packed_(decisions.packed_) {}
    std::optional<bool> of(std::uint64_t node);

   private:
    std::span<const std::uint64_t> packed_;
    std::size_t next_ = 0;
  };

 private:
  std::vector<std::uint64_t> packed_;  // node * 2 + passes, rising
};

struct NodesAnswer {
  NodeDecisions decisions;
  std::vector<std::uint32_t> documents;  ///< of the nodes that pass, some repeatedly
};

/// Decides the nodes with fields of their own: a node has its document's fields and, over them, its own.
/// @param nodes  segments whose entries are nodes, each alive in one of them.
/// @return nothing decided where no node has a field that is mentioned. @throws Error(damaged)
NodesAnswer match_nodes(std::span<const FieldsInput> nodes, std::span<const FieldsInput> documents,
                        const Filter::Expression& expression);

/// Whether a field is mentioned of which `has` is true.
template <class Has>
bool mentions(const Filter::Expression& expression, const Has& has) {
  if (!expression.field.empty() && has(expression.field)) return true;
  return std::ranges::any_of(expression.children, [&](const auto& child) { return mentions(child, has); });
}

}  // namespace hasten
