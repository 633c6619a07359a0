#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "hasten/search.hpp"

namespace hasten::cli {

/// How passages are found, as it is typed: the same options for every verb that searches.
struct RetrievalArguments {
  SearchOptions options;
  std::string mode, fusion, filter;
  std::vector<std::string> queries, retrievers;

  /// What the texts mean. @throws Error(invalid)
  SearchOptions parsed() const;
};

/// @param top_k  what is said to be the default.
void add_retrieval_options(CLI::App& app, RetrievalArguments& arguments, const char* top_k);

}  // namespace hasten::cli
