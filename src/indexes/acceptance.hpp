#pragma once

#include <cstdint>
#include <utility>

#include "core/document_set.hpp"
#include "core/segment.hpp"

namespace hasten {

/// Which nodes of a segment may be in an answer: those that are alive and, where a set is given, of
/// its documents.
class Acceptance {
 public:
  Acceptance() = default;
  /// @param allowed    borrowed; null: every document.
  /// @param documents  u32 a node: the section of the segment that says whose node it is.
  Acceptance(Tombstones deleted, const DocumentSet* allowed, Section documents)
      : deleted_(deleted), allowed_(allowed), documents_(std::move(documents)) {}

  bool operator()(std::uint32_t position) const {
    if (deleted_.test(position)) return false;
    return allowed_ == nullptr || allowed_->test(*documents_.array<std::uint32_t>(position));
  }

  /// The share of all nodes that passes, 0 to 1; what is deleted is not taken off.
  double selectivity() const noexcept { return allowed_ == nullptr ? 1 : allowed_->selectivity(); }

 private:
  Tombstones deleted_;
  const DocumentSet* allowed_ = nullptr;
  Section documents_;
};

}  // namespace hasten
