// Prints what a knowledge base answers to each question by quoting, and the evidence of all sentences that it
// could quote, one JSON object a line, for fit.py.
// usage: extract_evidence KB_FOLDER MODE QUERIES.jsonl
//
// A sentence is [found, words, context, kind, nearness, whether it holds an answer].
#include <time.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/ask/ask.hpp"
#include "engine/search/search.hpp"
#include "retrieval/extract.hpp"
#include "retrieval/relevance.hpp"

namespace {

using namespace hasten;
using nlohmann::json;

/// What this process has computed: the machine's other processes do not count.
double ms_computed() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

bool holds_any(std::string_view text, const std::vector<std::string>& answers) {
  return std::ranges::any_of(
      answers, [&](const std::string& answer) { return text.find(answer) != std::string_view::npos; });
}

/// How near sentences are to a question; each sentence is embedded once.
class Sentences {
 public:
  explicit Sentences(KnowledgeBase& kb)
      : embedder_(kb.models.embedder(kb.embedder_name(*kb.store.read()))),
        deviation_(deviation_of(unrelated_of(*kb.store.read()))) {}

  double nearness(std::string_view sentence, std::span<const float> question) {
    auto& vector = vectors_[std::string(sentence)];
    if (vector.empty()) {
      const Matrix made = embedder_->embed(std::span(&sentence, 1), Role::passage, {});
      vector.assign(made.row(0).begin(), made.row(0).end());
    }
    double cosine = 0;
    for (std::size_t d = 0; d < vector.size(); ++d) cosine += double{vector[d]} * question[d];
    return cosine / deviation_;
  }

 private:
  std::shared_ptr<const Embedder> embedder_;  // shared: with the knowledge base
  double deviation_;
  std::unordered_map<std::string, std::vector<float>> vectors_;
};

json quoted(KnowledgeBase& kb, const std::string& question, const std::vector<std::string>& answers,
            Mode mode) {
  AskOptions options;
  options.generator = "extractive";
  options.search.mode = mode;
  const double began = ms_computed();
  const Answer answer = ask(kb, question, options, {}, nullptr, {});
  const double ms = ms_computed() - began;
  const bool held = std::ranges::any_of(
      answer.citations, [&](const Citation& citation) { return holds_any(citation.text, answers); });
  const bool first = !answer.citations.empty() && holds_any(answer.citations.front().text, answers);
  return {{"found", answer.found},
          {"quotes", answer.citations.size()},
          {"held", held},
          {"first", first},
          {"ms", ms}};
}

json evidence(KnowledgeBase& kb, const std::string& question, const std::vector<std::string>& answers,
              Mode mode, Sentences* sentences) {
  SearchOptions options;
  options.mode = mode;
  options.top_k = 6;
  const Found found = search(kb, question, options, nullptr, {});
  std::vector<Passage> passages;
  for (const Hit& hit : found.result.hits) passages.push_back({hit.node.text, hit.score});
  json rows = json::array();
  for (const SentenceEvidence& e : sentence_evidence(question, passages, found.weights)) {
    const std::string_view text = passages[e.passage].text.substr(e.span.from, e.span.size());
    const double near = sentences == nullptr ? 0 : sentences->nearness(text, found.query_vector);
    rows.push_back({e.found, e.words, e.context, e.kind, near, holds_any(text, answers)});
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: extract_evidence KB_FOLDER MODE QUERIES.jsonl\n";
    return 2;
  }
  KnowledgeBase kb(argv[1], {}, SegmentStore::Access::read, "extract_evidence");
  const Mode mode = mode_from_string(argv[2]);
  std::optional<Sentences> sentences;
  if (mode != Mode::bm25) sentences.emplace(kb);
  std::ifstream queries(argv[3]);
  for (std::string line; std::getline(queries, line);) {
    const json query = json::parse(line);
    const std::string text = query.at("text");
    const std::vector<std::string> answers = query.at("answers");
    json row = quoted(kb, text, answers, mode);
    row["id"] = query.at("_id");
    row["sentences"] = evidence(kb, text, answers, mode, sentences ? &*sentences : nullptr);
    std::cout << row.dump() << "\n";
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
