#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/filter.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// Which retrievers a search uses where none are named: words and meaning, or one of them.
enum class Mode { hybrid, vector, bm25 };
std::string_view to_string(Mode mode) noexcept;
/// @throws Error(invalid) listing the known words.
Mode mode_from_string(std::string_view word);

/// Where a hit stood before it was reranked.
struct FirstStage {
  std::size_t rank = 0;  ///< from 1
  double score = 0;
};

/// How what several retrievers found for several questions becomes one list. One list alone stays
/// as it is. The formulas stand in docs/retrieval.md.
enum class Fusion {
  reciprocal_ranks,  ///< the sum of weight / (rrf_k + rank)
  weights,           ///< the weighted mean of scores, each list's stretched to 0..1
  calibrated,        ///< the weighted mean of scores turned into comparable probabilities
  shares,            ///< of the best top_k each list gives its share by weight; score: 1 / place
  priorities,        ///< what `high` found, then `normal`, then `low`; score: 1 / place
};
/// What holds where nothing is said: the best of these on every set of docs/quality.md.
inline constexpr Fusion kDefaultFusion = Fusion::weights;
std::string_view to_string(Fusion fusion) noexcept;
Fusion fusion_from_string(std::string_view word);  ///< @throws Error(invalid)

enum class Priority { high, normal, low, ignore };
std::string_view to_string(Priority priority) noexcept;
Priority priority_from_string(std::string_view word);  ///< @throws Error(invalid)

/// One way to find nodes.
struct Retriever {
  std::string group;                     ///< empty: the search's
  std::string similarity = "cosine";     ///< "cosine", "bm25", or the name of an Index of this group
  std::size_t top_k = 0;                 ///< how many it gives; 0: as many as the later steps need
  Filter filter;                         ///< beside the search's own: both must pass
  std::optional<double> cut_off;         ///< hits of a lower score of its own are left out
  double weight = 1;                     ///< from 0; 0: it is not asked
  Priority priority = Priority::normal;  ///< `ignore`: it is not asked; the others: in Fusion::priorities

  /// "group=FineChunk,similarity=bm25,top_k=50,weight=0.3": the names above, in any order. A comma in
  /// quotes, brackets or parentheses, as filters have them, separates nothing.
  /// @throws Error(invalid) naming the key, and the nearest known one.
  static Retriever parse(std::string_view text);
};

/// A further way to put a question: rewritten, or a part of it.
struct WeightedQuery {
  std::string text;
  double weight = 1;  ///< beside the main question's 1; multiplied with the retriever's
};

/// What is searched, and what is made of what is found, always in this order:
/// questions x retrievers -> their cut-offs -> fusion -> cut_off -> reranker -> target -> fold -> diversity
/// -> top_k -> window. What is absent here is as Settings::search has it; the values in brackets are what
/// holds without that. The same hits whatever the number of threads; ties go by node id.
struct SearchOptions {
  std::optional<Mode> mode;          ///< [hybrid]; of no use where there are `retrievers`
  std::optional<std::size_t> top_k;  ///< [10] at most so many hits; from 1, and a million counts as the most
  std::string group;                 ///< empty: the settings' default group
  Filter filter;
  double recall = 0;  ///< as Settings::recall; 0: the settings'
  /// Whether `+word`, `-word` and `"a phrase"` in a query say what must and must not stand in a
  /// passage. Off: queries are taken as they are, as questions are.
  bool operators = false;
  std::vector<WeightedQuery> queries;  ///< further ones
  std::vector<Retriever> retrievers;   ///< empty: those of `mode`
  std::optional<Fusion> fusion;        ///< [weights]
  std::optional<double> rrf_k;         ///< [60]
  std::optional<double> cut_off;       ///< [none] fused hits of a lower score are left out
  std::string reranker;                ///< as Settings::reranker; empty: the settings', "none": none
  std::size_t rerank_top_k = 0;  ///< how many of the best are reranked, at least top_k; 0: the settings'
  /// [none] The name of a group: a hit is returned as the node of this group that it was made from,
  /// with its best score; or as all those that were made from it. Groups that were not made from each
  /// other: as the nodes that lie within the hit, else as the one that shares most bytes with it.
  std::optional<std::string> target;
  /// [0: off] Equal texts are returned once, and of pieces of one document that overlap by more than
  /// this share of the shorter one the best only; 1: equal texts alone.
  std::optional<double> fold;
  /// [0: off] Up to 1: how much it counts that a hit is unlike those before it: maximal marginal
  /// relevance with lambda = 1 - diversity. Hits are in the order in which they were chosen.
  std::optional<double> diversity;
  /// [0] So many neighbours before and after a hit, in its document and group, are joined to it: its
  /// text and span cover them all. Windows that overlap become one hit.
  std::optional<std::size_t> window;
};

/// A scored node. Hits are in falling order of score (with diversity: in the order in which they were
/// chosen); equal scores go by rising node id.
struct Hit {
  Node node;  ///< with a window: text and span are those of the whole passage
  std::string path;
  std::string root;                   ///< the folder it was ingested from
  std::optional<std::uint64_t> page;  ///< 1, 2, ...: where the format has pages
  double score = 0;  ///< of its retriever, where there is one list; else of the fusion, or the reranker's
  std::optional<FirstStage> first_stage;  ///< of nodes that were reranked
};

struct SearchResult {
  std::vector<Hit> hits;
  /// How likely it is that the best hits speak of what was asked, 0 to 1; calibrated, see
  /// docs/relevance.md. Judged by words alone without a retriever by cosine, before `target` and what
  /// follows; 0 where nothing was found.
  std::optional<double> relevance;
  std::vector<std::string> notices;
};

}  // namespace hasten
