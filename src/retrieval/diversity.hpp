#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hasten {

/// Chooses k of the candidates one after the other: each time the one with the largest
/// lambda * relevance - (1 - lambda) * (its greatest similarity to one chosen before), ties to the
/// first. Relevance is stretched to 0..1 over the candidates. Costs k similarities a candidate.
/// @param relevance   of each candidate; best first.
/// @param similarity  of two candidates, by position: about 0 to 1.
/// @param lambda      1: their own order; 0: likeness alone counts.
/// @return            positions, in the order chosen.
/// Source: Carbonell & Goldstein 1998, maximal marginal relevance.
std::vector<std::size_t> maximal_marginal_relevance(
    std::span<const double> relevance, const std::function<double(std::size_t, std::size_t)>& similarity,
    double lambda, std::size_t k);

/// The share of all different words of two texts that stands in both (Jaccard). Both sorted, each
/// word once. Two empty ones: 0.
double shared_words(std::span<const std::string> a, std::span<const std::string> b);

}  // namespace hasten
