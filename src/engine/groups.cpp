#include "engine/groups.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "core/ids.hpp"
#include "hasten/error.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

class Planner {
 public:
  explicit Planner(const std::map<std::string, GroupDefinition>& known) : known_(known) {
    plan_.push_back({{0, std::string(kRoot), "", std::string(kRoot)}, nullptr, false});
  }

  std::size_t add(const std::string& name, int depth) {
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (plan_[i].row.name == name) return i;
    }
    const auto found = known_.find(name);
    if (found == known_.end()) {
      std::vector<std::string> names{std::string(kRoot)};
      for (const auto& [other, _] : known_) names.push_back(other);
      throw Error(Code::not_found,
                  fmt::format("no node group '{}'; known: {}", name, fmt::join(names, ", ")));
    }
    if (depth > 32) throw Error(Code::invalid, "node group '" + name + "' is its own ancestor");
    const GroupDefinition& definition = found->second;
    const std::size_t parent = add(definition.parent, depth + 1);
    const std::string signature = plan_[parent].row.signature + "/" + definition.transform->signature();
    plan_.push_back({{0, name, definition.parent, signature}, definition.transform, false});
    return plan_.size() - 1;
  }

  void use(const std::string& name) { plan_[add(name, 0)].indexed = true; }
  std::vector<PlannedGroup> take() { return std::move(plan_); }

 private:
  const std::map<std::string, GroupDefinition>& known_;
  std::vector<PlannedGroup> plan_;
};

/// Gives ids: equal texts of one group are told apart by their occurrence.
class Namer {
 public:
  Namer(const Id& document, const std::string& signature)
      : document_(document.to_string()), signature_(signature) {}

  void name(NewNode& node) {
    node.row.text_hash = id_of({node.text});
    const std::string text_hash = node.row.text_hash.to_string();
    const std::string occurrence = std::to_string(seen_[text_hash]++);
    node.row.id = id_of({document_, signature_, text_hash, occurrence});
  }

 private:
  std::string document_;
  const std::string& signature_;
  std::unordered_map<std::string, std::uint32_t> seen_;
};

std::string joined_terms(const std::string& text) {
  std::string joined;
  for (const Term& term : terms(text)) {
    joined += term.text;
    joined += '\n';
  }
  return joined;
}

Node as_node(const NewNode& made, const PlannedGroup& group, const DocumentRow& document) {
  Node node;
  node.id = made.row.id;
  node.doc_id = document.id;
  node.group = group.row.name;
  node.text = made.text;
  node.span = made.row.span;
  node.parent = made.row.parent;
  node.number = made.row.ordinal;
  node.derived = made.row.derived;
  node.metadata = made.row.metadata;
  return node;
}

NewNode child_of(const Node& parent, Piece&& piece) {
  NewNode made;
  made.row.parent = parent.id;
  made.row.derived = piece.derived || parent.derived;
  made.row.metadata = std::move(piece.metadata);
  for (const auto& [field, value] : parent.metadata) made.row.metadata.try_emplace(field, value);
  if (piece.span.to > parent.text.size() || piece.span.from > piece.span.to) {
    throw Error(Code::invalid, fmt::format("a transform gave the span [{}, {}) of a text of {} bytes",
                                           piece.span.from, piece.span.to, parent.text.size()));
  }
  made.text = piece.derived ? std::move(piece.text) : parent.text.substr(piece.span.from, piece.span.size());
  made.row.span = parent.derived ? parent.span
                                 : Span{parent.span.from + piece.span.from, parent.span.from + piece.span.to};
  if (made.row.derived) made.row.text = made.text;
  return made;
}

}  // namespace

std::vector<PlannedGroup> plan_groups(const std::map<std::string, GroupDefinition>& known,
                                      const std::vector<std::string>& used) {
  Planner planner(known);
  for (const auto& name : used) planner.use(name);
  return planner.take();
}

std::vector<NewNode> make_nodes(const std::vector<PlannedGroup>& plan, const DocumentRow& document,
                                const std::string& text) {
  std::vector<NewNode> nodes;
  std::vector<std::pair<std::size_t, std::size_t>> made(plan.size());  // each group's [first, last)
  for (std::size_t g = 0; g < plan.size(); ++g) {
    const PlannedGroup& group = plan[g];
    Namer namer(document.id, group.row.signature);
    const std::size_t first = nodes.size();
    const auto add = [&](NewNode&& node) {
      node.row.group = group.row.id;
      node.row.ordinal = static_cast<std::uint32_t>(nodes.size() - first);
      namer.name(node);
      if (group.indexed) node.terms = joined_terms(node.text);
      nodes.push_back(std::move(node));
    };
    if (group.transform == nullptr) {
      NewNode root;
      root.text = text;
      root.row.span = {0, text.size()};
      add(std::move(root));
    } else {
      const auto parent = static_cast<std::size_t>(
          std::find_if(plan.begin(), plan.end(),
                       [&](const PlannedGroup& p) { return p.row.name == group.row.parent; }) -
          plan.begin());
      for (std::size_t i = made[parent].first; i < made[parent].second; ++i) {
        const Node from = as_node(nodes[i], plan[parent], document);
        for (Piece& piece : group.transform->apply(from)) add(child_of(from, std::move(piece)));
      }
    }
    made[g] = {first, nodes.size()};
  }
  return nodes;
}

}  // namespace hasten
