#include "dataset.hpp"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/files.hpp"
#include "hasten/error.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void fail(const fs::path& file, std::size_t line, std::string_view message) {
  throw Error(Code::corrupt, fmt::format("{}:{}: {}", file.string(), line, message));
}

/// Calls function(line, number) for every line that holds something.
void for_each_line(const fs::path& file, const std::function<void(std::string_view, std::size_t)>& function) {
  const std::string text = read_file(file);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!line.empty()) function(line, number);
    at = end + 1;
  }
}

void for_each_object(const fs::path& file, const std::function<void(const json&, std::size_t)>& function) {
  for_each_line(file, [&](std::string_view line, std::size_t number) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) fail(file, number, "not a JSON object");
    function(object, number);
  });
}

std::string text_field(const json& object, const char* name, const fs::path& file, std::size_t line) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string())
    fail(file, line, fmt::format("no text field \"{}\"", name));
  return found->get<std::string>();
}

std::vector<std::string_view> columns_of(std::string_view line) {
  std::vector<std::string_view> columns;
  for (std::size_t at = 0;;) {
    const std::size_t tab = line.find('\t', at);
    columns.push_back(line.substr(at, tab - at));
    if (tab == line.npos) return columns;
    at = tab + 1;
  }
}

std::unordered_map<std::string, Grades> load_grades(const fs::path& file) {
  std::unordered_map<std::string, Grades> grades;
  for_each_line(file, [&](std::string_view line, std::size_t number) {
    if (number == 1) return;  // the names of the columns
    const auto columns = columns_of(line);
    int grade = 0;
    const bool three = columns.size() == 3;
    const auto read = three ? std::from_chars(columns[2].data(), columns[2].data() + columns[2].size(), grade)
                            : std::from_chars_result{nullptr, std::errc::invalid_argument};
    if (read.ec != std::errc() || read.ptr != columns[2].data() + columns[2].size())
      fail(file, number, "expected query-id, corpus-id and a whole score between tabs");
    if (grade > 0) grades[std::string(columns[0])][std::string(columns[1])] = grade;
  });
  return grades;
}

}  // namespace

std::vector<TextDocument> load_corpus(const fs::path& file) {
  std::vector<TextDocument> documents;
  for_each_object(file, [&](const json& object, std::size_t line) {
    TextDocument document;
    document.path = text_field(object, "_id", file, line);
    document.text = text_field(object, "text", file, line);
    if (object.contains("title")) {
      const std::string title = text_field(object, "title", file, line);
      if (!title.empty()) document.text = title + "\n" + document.text;
    }
    documents.push_back(std::move(document));
  });
  return documents;
}

std::vector<JudgedQuery> load_queries(const fs::path& queries, const fs::path& qrels) {
  const auto grades = load_grades(qrels);
  std::vector<JudgedQuery> judged;
  for_each_object(queries, [&](const json& object, std::size_t line) {
    std::string id = text_field(object, "_id", queries, line);
    const auto found = grades.find(id);
    if (found != grades.end())
      judged.push_back({std::move(id), text_field(object, "text", queries, line), found->second});
  });
  if (judged.empty())
    throw Error(Code::empty, fmt::format("no question of {} has a relevant document in {}", queries.string(),
                                         qrels.string()));
  return judged;
}

std::vector<std::string> load_questions(const fs::path& file) {
  std::vector<std::string> questions;
  const auto add = [&](std::string_view text) {
    if (text.find_first_not_of(" \t") != text.npos) questions.emplace_back(text);
  };
  if (file.extension() == ".jsonl") {
    for_each_object(
        file, [&](const json& object, std::size_t line) { add(text_field(object, "text", file, line)); });
  } else {
    for_each_line(file, [&](std::string_view line, std::size_t) { add(line); });
  }
  if (questions.empty())
    throw Error(Code::empty, fmt::format("{} holds no question; write one a line", file.string()));
  return questions;
}

}  // namespace hasten::cli
