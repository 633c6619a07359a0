#include "engine/search/search_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/nearest.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kListDepth = 100;  // how deep each list goes into the fusion
constexpr std::size_t kTopKMax = 1'000'000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string_view similarity_name(Mode mode) { return mode == Mode::bm25 ? "bm25" : "cosine"; }

std::vector<Retriever> retrievers_of(Mode mode) {
  const auto of = [](Mode one) {
    Retriever retriever;
    retriever.similarity = similarity_name(one);
    return retriever;
  };
  if (mode == Mode::hybrid) return {of(Mode::bm25), of(Mode::vector)};
  return {of(mode)};
}

double checked(std::string_view name, double value, double least, double most) {
  if (value >= least && value <= most) return value;
  throw Error(Code::invalid,
              std::isinf(most)
                  ? fmt::format("{} is {}; it takes a number from {} on", name, value, least)
                  : fmt::format("{} is {}; it takes a number from {} to {}", name, value, least, most));
}

double checked_weight(std::string_view of, double weight) {
  return checked(fmt::format("the weight of {}", of), weight, 0, std::numeric_limits<double>::max());
}

double checked_cut_off(const std::optional<double>& cut_off) {
  if (cut_off && std::isnan(*cut_off)) throw Error(Code::invalid, "cut_off is no number");
  return cut_off.value_or(-kInfinity);
}

std::vector<std::string> made_groups(const Snapshot& snapshot) {
  std::vector<std::string> made;
  for (const GroupSnapshot& group : snapshot.groups) {
    if (!group.words.empty()) made.push_back(group.row.name);
  }
  return made;
}

[[noreturn]] void fail_not_made(const std::string& name, const Snapshot& snapshot) {
  const auto made = made_groups(snapshot);
  throw Error(Code::not_found,
              fmt::format("node group '{}' was not made here; made: {}; `hasten ingest --group {} "
                          "PATH` makes it",
                          name, made.empty() ? "none" : fmt::format("{}", fmt::join(made, ", ")), name));
}

class Planner {
 public:
  Planner(KnowledgeBase& kb, const Snapshot& snapshot, const SearchOptions& options)
      : kb_(kb), snapshot_(snapshot), options_(options) {}

  SearchPlan run() {
    plan_.notices = kb_.settings.stores.notices;
    read_values();
    plan_.target = target();
    for (const Retriever& retriever : asked()) add(retriever);
    if (!anything_weighs_) {
      throw Error(Code::invalid,
                  "every retriever has weight 0 or priority 'ignore'; at least one must be asked");
    }
    leave_out_missing_vectors();
    set_depths();
    return std::move(plan_);
  }

 private:
  void read_values() {
    plan_.top_k = options_.top_k.value_or(10);
    if (plan_.top_k == 0) throw Error(Code::invalid, "top_k is 0; ask for at least one hit");
    plan_.top_k = std::min(plan_.top_k, kTopKMax);
    plan_.fusion.fusion = options_.fusion.value_or(kDefaultFusion);
    plan_.fusion.rrf_k = checked("rrf_k", options_.rrf_k.value_or(60), 0, 1e9);
    plan_.fusion.top_k = plan_.top_k;
    plan_.recall = options_.recall > 0 ? options_.recall : kb_.settings.recall;
    plan_.cut_off = checked_cut_off(options_.cut_off);
    plan_.fold = checked("fold", options_.fold.value_or(0), 0, 1);
    plan_.diversity = checked("diversity", options_.diversity.value_or(0), 0, 1);
    plan_.window = options_.window.value_or(0);
  }

  const GroupSnapshot* target() const {
    if (!options_.target || options_.target->empty()) return nullptr;
    const GroupSnapshot* group = snapshot_.find(*options_.target);
    if (group == nullptr && snapshot_.commit > 0) fail_not_made(*options_.target, snapshot_);
    return group;
  }

  std::vector<Retriever> asked() const {
    if (!options_.retrievers.empty()) return options_.retrievers;
    return retrievers_of(options_.mode.value_or(Mode::hybrid));
  }

  void add(const Retriever& retriever) {
    const double weight =
        checked_weight(fmt::format("retriever '{}'", retriever.similarity), retriever.weight);
    checked_cut_off(retriever.cut_off);
    PlannedRetriever planned;
    planned.asked = retriever;
    if (retriever.similarity == "bm25" || retriever.similarity == "cosine") {
      planned.similarity = retriever.similarity == "bm25" ? Similarity::words : Similarity::vectors;
      planned.group = searched_group(retriever.group);
    } else {
      planned.similarity = Similarity::own;
      planned.index = own_index(retriever);
      planned.group = snapshot_.find(planned.index->group());
      if (planned.group == nullptr && snapshot_.commit > 0) fail_not_made(planned.index->group(), snapshot_);
    }
    if (weight == 0 || retriever.priority == Priority::ignore) return;
    anything_weighs_ = true;
    plan_.retrievers.push_back(std::move(planned));
  }

  std::string name_or_default(const std::string& name) const {
    if (!name.empty()) return name;
    return options_.group.empty() ? kb_.settings.group : options_.group;
  }

  const GroupSnapshot* searched_group(const std::string& given) const {
    const std::string name = name_or_default(given);
    const GroupSnapshot* group = snapshot_.find(name);
    if (group != nullptr && (!group->words.empty() || snapshot_.commit == 0)) return group;
    const bool by_default = given.empty() && options_.group.empty();
    const auto made = made_groups(snapshot_);
    if (made.empty() && (by_default || name == kb_.settings.group)) return group;  // nothing ingested
    if (!made.empty() && by_default) return snapshot_.find(made.front());          // the only ones there are
    fail_not_made(name, snapshot_);
  }

  /// The index of this name: of the retriever's group, else of the only group that has one.
  UserIndex* own_index(const Retriever& retriever) const {
    const std::string group = name_or_default(retriever.group);
    if (UserIndex* index = kb_.indexes.find(group, retriever.similarity)) return index;
    std::vector<UserIndex*> same_name;
    std::set<std::string> known{"bm25", "cosine"};
    for (UserIndex* index : kb_.indexes.all()) {
      if (index->name() == retriever.similarity) same_name.push_back(index);
      if (index->group() == group) known.insert(index->name());
    }
    if (retriever.group.empty() && options_.group.empty() && same_name.size() == 1) return same_name.front();
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::string_view near = nearest(retriever.similarity, names);
    throw Error(
        Code::not_found,
        fmt::format("group '{}' has no similarity '{}'; {}known: {}", group, retriever.similarity,
                    near.empty() ? "" : fmt::format("did you mean '{}'? ", near), fmt::join(names, ", ")));
  }

  /// Vectors come after words: until then a group is searched without them.
  void leave_out_missing_vectors() {
    const auto lacks_vectors = [](const PlannedRetriever& retriever) {
      return retriever.similarity == Similarity::vectors &&
             (retriever.group == nullptr || !retriever.group->has_vectors());
    };
    std::set<std::string> groups;
    for (const PlannedRetriever& retriever : plan_.retrievers) {
      if (!lacks_vectors(retriever) || retriever.group == nullptr) continue;
      if (retriever.group->statistics.nodes > 0) groups.insert(retriever.group->row.name);
    }
    const bool by_words_too = plan_.uses(Similarity::words);
    std::erase_if(plan_.retrievers, lacks_vectors);
    if (options_.retrievers.empty() && by_words_too && !groups.empty()) {
      plan_.notices.push_back("no vectors yet: searched by words alone; `hasten ingest` makes them");
      return;
    }
    for (const std::string& group : groups) {
      plan_.notices.push_back(fmt::format(
          "no vectors yet in group '{}': nothing is found by cosine there; `hasten ingest` makes them",
          group));
    }
  }

  void set_depths() {
    plan_.rerank = rerank_plan(kb_, options_, plan_.top_k);
    plan_.rerank.depth = std::min(plan_.rerank.depth, kTopKMax);
    const std::size_t lists = plan_.retrievers.size() * (1 + options_.queries.size());
    std::size_t depth = plan_.top_k;
    if (plan_.reshapes()) {
      depth = std::max(kListDepth, 5 * plan_.top_k);
    } else if (lists > 1) {
      depth = std::max(kListDepth, plan_.top_k);
    }
    depth = std::max(depth, plan_.rerank.depth);
    for (PlannedRetriever& retriever : plan_.retrievers) {
      retriever.depth = retriever.asked.top_k > 0 ? std::min(retriever.asked.top_k, kTopKMax) : depth;
    }
  }

  KnowledgeBase& kb_;
  const Snapshot& snapshot_;
  const SearchOptions& options_;
  SearchPlan plan_;
  bool anything_weighs_ = false;
};

template <class T>
void fill(std::optional<T>& value, const std::optional<T>& from) {
  if (!value) value = from;
}

}  // namespace

bool SearchPlan::uses(Similarity similarity) const noexcept {
  return std::ranges::any_of(retrievers, [similarity](const PlannedRetriever& retriever) {
    return retriever.similarity == similarity;
  });
}

SearchOptions with_settings(SearchOptions options, const Settings& settings) {
  const SearchOptions& defaults = settings.search;
  if (options.retrievers.empty() && !options.mode) options.retrievers = defaults.retrievers;
  fill(options.mode, defaults.mode);
  fill(options.top_k, defaults.top_k);
  fill(options.fusion, defaults.fusion);
  fill(options.rrf_k, defaults.rrf_k);
  fill(options.cut_off, defaults.cut_off);
  fill(options.target, defaults.target);
  fill(options.fold, defaults.fold);
  fill(options.diversity, defaults.diversity);
  fill(options.window, defaults.window);
  return options;
}

SearchPlan plan_search(KnowledgeBase& kb, const Snapshot& snapshot, const SearchOptions& options) {
  return Planner(kb, snapshot, options).run();
}

}  // namespace hasten
