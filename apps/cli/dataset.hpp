#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "hasten/document.hpp"
#include "metrics.hpp"

namespace hasten::cli {

/// A question of a test set, with what answers it.
struct JudgedQuery {
  std::string id;
  std::string text;
  Grades grades;
};

/// The documents of `corpus.jsonl` ({"_id", "title", "text"} a line): the path is the _id, the text
/// is the title, a line break and the text.
/// @throws Error(not_found|io); Error(corrupt) naming file and line.
std::vector<TextDocument> load_corpus(const std::filesystem::path& file);

/// The questions of `queries.jsonl` ({"_id", "text"} a line) that `qrels.tsv` (query-id, corpus-id,
/// score; a header line) has a relevant document for, in the order of the questions.
/// Source: Thakur et al. 2021 (BEIR), the layout of its data sets.
/// @throws as load_corpus(); Error(empty) no question has a relevant document.
std::vector<JudgedQuery> load_queries(const std::filesystem::path& queries,
                                      const std::filesystem::path& qrels);

/// The questions of a file: one a line, or as queries.jsonl has them where the name ends in .jsonl.
/// @throws as load_corpus(); Error(empty) there is none.
std::vector<std::string> load_questions(const std::filesystem::path& file);

}  // namespace hasten::cli
