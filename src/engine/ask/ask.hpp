#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// Answers from what a search finds, or says that it is not there.
Answer ask(KnowledgeBase& kb, std::string_view question, const AskOptions& options,
           const std::function<void(std::string_view)>& on_token, Trace* trace, std::stop_token stop);

}  // namespace hasten
