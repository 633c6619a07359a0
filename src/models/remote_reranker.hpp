#pragma once

#include <memory>
#include <string_view>

#include "hasten/reranker.hpp"

namespace hasten {

/// A reranker behind a server that speaks the protocol of Jina, Cohere and vLLM: POST {model, query,
/// documents, top_n} to an address that ends in /rerank, answered by {results: [{index,
/// relevance_score}]}. $RERANK_API_KEY, or else $OPENAI_API_KEY, is sent where it is set; redirects are
/// not followed, so that the key goes to nobody else. Nothing is asked before the first use.
/// @param url  "http://host:port" and ".../v1" mean ".../v1/rerank"; ".../rerank" is taken as it is; a
///             model is named after "#".
/// @throws Error(invalid) not an http(s) URL. score() throws as Reranker::score(), and
///         Error(unavailable) where the answer does not give every passage one score.
std::shared_ptr<const Reranker> open_remote_reranker(std::string_view url);

}  // namespace hasten
