#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "hasten/reranker.hpp"

namespace hasten {

/// A cross-encoder over llama.cpp: question and passage are read together and a classification head says
/// how well they fit (its logit; of two labels the second's less the first's). Each pair is one forward
/// pass on one thread, so its score has the same bits whatever it is scored beside. A pair that is too
/// long loses the end of its passage; a question keeps at most half of the room.
/// @param sha256   of the file, for the fingerprint.
/// @param threads  pairs computed at a time; 0: one a core.
/// @throws Error(not_found); Error(corrupt) cut short, or a model without a classification head.
/// Source: Nogueira & Cho 2019, "Passage Re-ranking with BERT".
std::shared_ptr<const Reranker> open_llama_cross_encoder(const std::filesystem::path& file,
                                                         const std::string& sha256, std::size_t threads);

}  // namespace hasten
