#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment_store.hpp"
#include "hasten/settings.hpp"
#include "hasten/transform.hpp"

namespace hasten {

inline constexpr std::string_view kRoot = "root";

/// A node group that can be made.
struct GroupDefinition {
  std::string name;
  std::string parent;
  std::shared_ptr<const Transform> transform;  // shared: plans hold it while definitions change
};

/// A group to make, after its parent.
struct PlannedGroup {
  GroupRow row;                                ///< id 0 until the store has given one
  std::shared_ptr<const Transform> transform;  ///< null for root
  bool indexed = false;                        ///< searched; others are only made as parents
};

/// The groups of these names and their ancestors, parents first; root is always the first.
/// @throws Error(not_found) an unknown group, listing the known; Error(invalid) a circle.
std::vector<PlannedGroup> plan_groups(const std::map<std::string, GroupDefinition>& known,
                                      const std::vector<std::string>& used);

/// A node to be stored, with what its indexes need of it.
struct NewNode {
  NodeRow row;
  std::string text;
  std::string terms;  ///< of indexed groups: its index terms, each followed by '\n'
};

/// Makes the nodes of all planned groups from a document's text. Groups come in the order of the
/// plan, nodes in the order of the text. Pure and thread-safe. Ids are those of design: hash of
/// document id, group signature, text hash and occurrence among equal texts.
std::vector<NewNode> make_nodes(const std::vector<PlannedGroup>& plan, const DocumentRow& document,
                                const std::string& text);

}  // namespace hasten
