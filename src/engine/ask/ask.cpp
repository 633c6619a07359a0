#include "engine/ask/ask.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "engine/ask/conversation.hpp"
#include "engine/ask/matched_question.hpp"
#include "engine/caching/answer_cache.hpp"
#include "engine/search/search.hpp"
#include "hasten/error.hpp"
#include "retrieval/citations.hpp"
#include "retrieval/extract.hpp"
#include "retrieval/prompt.hpp"
#include "retrieval/question_features.hpp"
#include "text/language.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kExtractive = "extractive";
constexpr std::size_t kPassages = 6;  // that are read where nothing else is asked for
constexpr std::size_t kQuotes = 2;
constexpr double kNearlyAsGood = 0.6;
constexpr double kOfEarlier = 0.3;  // what a word of an earlier question weighs beside the question's own

double ms_since(Clock::time_point began) {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

/// "Not in these documents", in the language of the question.
std::string_view not_found_text(std::string_view lang) {
  return lang == "zh" ? "这些文档中没有相关内容。" : "This is not in these documents.";
}

class Asking {
 public:
  Asking(KnowledgeBase& kb, std::string_view question, const AskOptions& options,
         const std::function<void(std::string_view)>& on_token, Trace* trace, std::stop_token stop)
      : kb_(kb),
        options_(options),
        on_token_(on_token),
        trace_(trace),
        stop_(std::move(stop)),
        began_(Clock::now()),
        asked_(question) {}

  Answer run() {
    lang_ = language_of(asked_);
    if (generator_name() != kExtractive) kb_.models.check_generator(generator_name());
    hear_out();
    question_.emplace(kb_, goes_on() ? std::string_view(understood_.full) : asked_, options_, trace_, stop_);
    find();
    if (!is_found()) find_itself();
    if (!is_found()) {
      say_not_found();
    } else {
      answer_.found = true;
      choose_passages();
      if (!write_again()) {
        const auto generator = choose();
        answer_.generator = generator ? generator->name() : std::string(kExtractive);
        generator ? write_once(*generator) : quote();
      }
      question_->answered(answer_.text);
    }
    conversation_->add(
        {std::string(asked_), answer_.metrics.text.empty() ? answer_.text : answer_.metrics.text});
    tell_match();
    return std::move(answer_);
  }

 private:
  /// What the question is together with what was said before it.
  void hear_out() {
    Trace::Span span = options_.session.empty() ? Trace::Span() : Trace::Span(trace_, "ask.session");
    conversation_.emplace(kb_, options_.session);
    // What operators demand of passages is not what a conversation is about.
    if (!options_.search.operators) understood_ = conversation_->understood(asked_);
    span.note("turns", static_cast<std::int64_t>(conversation_->turns().size()));
    if (!goes_on()) return;
    span.note("question", understood_.full);
    if (lang_ == "und") lang_ = language_of(understood_.full);
    for (const Turn& turn : conversation_->turns()) {
      earlier_.push_back({"user", turn.question});
      earlier_.push_back({"assistant", turn.answer});
    }
  }

  bool goes_on() const noexcept { return understood_.goes_on; }

  /// What a generator is asked, after what was said.
  std::string_view written_question() const { return goes_on() ? asked_ : question_->text(); }

  void find() {
    SearchOptions search_options = options_.search;
    if (!search_options.top_k) search_options.top_k = kPassages;
    // What it says itself counts more than what it goes on from.
    if (understood_.own != understood_.full && !terms(understood_.own).empty()) {
      search_options.queries.push_back({understood_.own, 1});
    }
    found_ = search(kb_, question_->text(), search_options, trace_, stop_, question_->vector());
    answer_.hits = std::move(found_.result.hits);
    answer_.relevance = found_.result.relevance.value_or(0);
    answer_.notices = std::move(found_.result.notices);
  }

  bool is_found() const { return answer_.relevance >= kRelevant && !answer_.hits.empty(); }

  /// Where nothing is found any more for the earlier question, the one that was asked may fare better.
  void find_itself() {
    const bool was_other = question_->is_other();
    question_->not_found();
    if (was_other) find();
  }

  void tell_match() {
    if (!question_->is_other()) return;
    answer_.matched_question = question_->text();
    answer_.notices.push_back(fmt::format("answered as \"{}\"", answer_.matched_question));
  }

  void say_not_found() {
    answer_.generator = "none";
    emit(not_found_text(lang_));
    answer_.text = not_found_text(lang_);
    answer_.metrics.finish_reason = "not_found";
    answer_.metrics.ttft_ms = first_token_ms_;
  }

  /// The best hit, and those that speak of the question about as much as any: what else was found would only
  /// lead a writer astray.
  void choose_passages() {
    std::vector<double> coverage = found_.coverage;
    for (std::size_t i = coverage.size(); i < answer_.hits.size(); ++i) {
      coverage.push_back(found_.weights.coverage(answer_.hits[i].node.text));
    }
    const double enough = kNearlyAsGood * *std::max_element(coverage.begin(), coverage.end());
    for (std::size_t i = 0; i < answer_.hits.size(); ++i) {
      if (i == 0 || coverage[i] >= enough) add_passage(i);
    }
  }

  void add_passage(std::size_t hit) {
    passages_.push_back({answer_.hits[hit].node.text, answer_.hits[hit].score});
    hit_of_passage_.push_back(hit);
  }

  const std::string& generator_name() const {
    return options_.generator.empty() ? kb_.settings.generator : options_.generator;
  }

  /// The generator that will write, or null for the extractive one.
  std::shared_ptr<const Generator> choose() {
    const std::string& name = generator_name();
    if (name == kExtractive) return nullptr;
    const Trace::Span span(trace_, "ask.load");
    auto generator = kb_.models.generator(name);
    if (generator->writes(lang_)) return generator;
    answer_.notices.push_back(fmt::format(
        "{} does not write '{}': the best sentences are quoted instead; --generator takes a model "
        "that does",
        generator->name(), lang_));
    return nullptr;
  }

  /// Equal requests at the same time are written once; who waits is told the whole.
  void write_once(const Generator& generator) {
    if (!key_) {
      write(generator);
      return;
    }
    bool wrote = false;
    std::shared_ptr<const Written> written;
    try {
      written = kb_.writing.run(
          *key_,
          [&] {
            wrote = true;
            return std::make_shared<const Written>(write(generator));
          },
          stop_);
    } catch (...) {
      if (wrote || stop_.stop_requested()) throw;
      write(generator);  // whoever wrote it may have had a trouble of its own
      return;
    }
    if (!wrote) repeat(*written);
  }

  Written write(const Generator& generator) {
    const auto count = [&](std::string_view text) { return generator.count(text); };
    Prompt prompt;
    {
      Trace::Span span(trace_, "ask.prompt");
      const std::size_t room = generator.context_tokens();
      const std::size_t reserved = options_.max_tokens + 64;  // the template's own tokens
      if (room <= reserved) {
        throw Error(Code::too_large, fmt::format("max_tokens {} leaves no room for the passages in the "
                                                 "{} tokens of {}",
                                                 options_.max_tokens, room, generator.name()));
      }
      prompt = make_prompt(written_question(), earlier_, passages_, options_.prompt,
                           std::min<std::size_t>(room - reserved, 1500), count);
      passages_.resize(prompt.passages);
      span.note("passages", static_cast<std::int64_t>(prompt.passages));
    }
    GenerateOptions generate_options;
    generate_options.max_tokens = options_.max_tokens;
    generate_options.temperature = options_.temperature;
    cite_stream([&](CitedStream& stream) {
      Trace::Span span(trace_, "ask.generate");
      answer_.metrics = generator.generate(
          prompt.messages, generate_options, [&](std::string_view piece) { stream.push(piece); }, stop_);
      span.note("prompt_tokens", static_cast<std::int64_t>(answer_.metrics.prompt_tokens));
      span.note("tokens", static_cast<std::int64_t>(answer_.metrics.tokens));
      if (trace_ != nullptr) span.note("ttft_ms", fmt::format("{:.1f}", answer_.metrics.ttft_ms));
    });
    Written written{generator.name(), prompt.passages, answer_.metrics};
    if (key_) kb_.caches.put(Cached::answers, *key_, encode(written));
    return written;
  }

  void repeat(const Written& written) {
    passages_.resize(written.passages);
    answer_.generator = written.generator;
    answer_.metrics = written.generation;
    cite_stream([&](CitedStream& stream) { stream.push(written.generation.text); });
  }

  /// What was written before from the same passages. @return whether there was something.
  bool write_again() {
    if (generator_name() == kExtractive) return false;
    key_ = written_key(kb_, generator_name(), written_question(), earlier_, passages_, options_);
    if (!key_) return false;
    Trace::Span span(trace_, "ask.cache");
    const auto bytes = kb_.caches.get(Cached::answers, *key_);
    const auto written = bytes ? decode_written(*bytes) : std::nullopt;
    span.note("answers", written ? "hit" : "miss");
    if (!written || written->passages > passages_.size()) return false;
    repeat(*written);
    return true;
  }

  /// The answer is what `write` pushes, cited.
  void cite_stream(const std::function<void(CitedStream&)>& write) {
    const Aligner aligner(passages_);
    CitedStream stream([&](std::string_view sentence,
                           std::optional<std::size_t> hint) { return cite(aligner.align(sentence, hint)); },
                       [&](std::string_view text) { emit(text); });
    write(stream);
    stream.finish();
    answer_.text = stream.text();
    answer_.metrics.ttft_ms = first_token_ms_;
    if (answer_.citations.empty()) {
      answer_.notices.push_back(
          "no passage supports what was written: do not rely on it; "
          "--generator extractive quotes the passages themselves");
    }
  }

  /// From all hits: their scores count where sentences are chosen.
  void quote() {
    Trace::Span span(trace_, "ask.extract");
    passages_.clear();
    hit_of_passage_.clear();
    for (std::size_t i = 0; i < answer_.hits.size(); ++i) add_passage(i);
    const std::string embedder = kb_.embedder_name(*kb_.store.read());
    const TermWeights weights = own_weights();
    const std::string key =
        quotes_key(own_question(), passages_, weights, found_.query_vector, embedder, kQuotes);
    const auto bytes = kb_.caches.get(Cached::answers, key);
    auto quotes = bytes ? decode_quotes(*bytes, passages_) : std::nullopt;
    if (kb_.caches.has(Cached::answers)) span.note("answers", quotes ? "hit" : "miss");
    if (!quotes) {
      quotes = choose_quotes(embedder, weights, span);
      kb_.caches.put(Cached::answers, key, encode(*quotes));
    }
    for (const Quote& quote : *quotes) {
      const std::string_view text = passages_[quote.passage].text.substr(quote.span.from, quote.span.size());
      const auto number = cite(Support{quote.passage, quote.span, 1});
      const std::string piece = fmt::format("{}{} [{}]", answer_.text.empty() ? "" : "\n", text, *number);
      answer_.text += piece;
      emit(piece);
    }
    answer_.metrics.ttft_ms = first_token_ms_;
    answer_.metrics.finish_reason = "stop";
  }

  /// What a quote has to answer: where it goes on from what was said, not that once more.
  std::string_view own_question() const {
    return goes_on() && !question_features(asked_).asks.empty() ? asked_ : question_->text();
  }

  TermWeights own_weights() const {
    TermWeights::Weights weights = found_.weights.weights();
    if (!goes_on()) return TermWeights(std::move(weights));
    std::set<std::string> own;
    for (Term& term : terms(understood_.own)) own.insert(std::move(term.text));
    for (auto& [term, weight] : weights) {
      if (!own.contains(term)) weight *= kOfEarlier;
    }
    return TermWeights(std::move(weights));
  }

  std::vector<Quote> choose_quotes(const std::string& embedder, const TermWeights& weights,
                                   Trace::Span& span) {
    Nearness nearness;
    const double deviation = deviation_of(unrelated_of(*kb_.store.read()));
    if (!found_.query_vector.empty() && deviation > 0) {
      nearness = [&, deviation](std::span<const std::string_view> texts) {
        span.note("embedded", static_cast<std::int64_t>(texts.size()));
        std::vector<double> near = cosines_of(embedder, texts);
        for (double& cosine : near) cosine /= deviation;
        return near;
      };
    }
    return extract(own_question(), passages_, weights, nearness, kQuotes);
  }

  std::vector<double> cosines_of(const std::string& embedder, std::span<const std::string_view> texts) {
    const Matrix vectors = kb_.models.embedder(embedder)->embed(texts, Role::passage, stop_);
    std::vector<double> cosines;
    for (std::size_t i = 0; i < vectors.rows; ++i) {
      double dot = 0;
      for (std::size_t d = 0; d < vectors.dim; ++d) dot += double{vectors.row(i)[d]} * found_.query_vector[d];
      cosines.push_back(dot);
    }
    return cosines;
  }

  /// The number of the citation for this support: the same place is cited under one number.
  std::optional<std::size_t> cite(const std::optional<Support>& support) {
    if (!support) return std::nullopt;
    const std::size_t at = hit_of_passage_[support->passage];
    const Hit& hit = answer_.hits[at];
    Citation citation;
    citation.node_id = hit.node.id;
    citation.doc_id = hit.node.doc_id;
    citation.path = hit.path;
    citation.text = hit.node.text.substr(support->span.from, support->span.size());
    citation.span = hit.node.derived ? hit.node.span
                                     : Span{hit.node.span.from + support->span.from,
                                            hit.node.span.from + support->span.to};
    citation.page = page_at(found_.pages[at], citation.span.from);
    citation.support = support->share;
    for (const Citation& known : answer_.citations) {
      if (known.doc_id == citation.doc_id && known.span == citation.span) return known.number;
    }
    citation.number = answer_.citations.size() + 1;
    answer_.citations.push_back(std::move(citation));
    return answer_.citations.back().number;
  }

  void emit(std::string_view text) {
    if (first_token_ms_ == 0) first_token_ms_ = ms_since(began_);
    if (on_token_) on_token_(text);
  }

  KnowledgeBase& kb_;
  const AskOptions& options_;
  const std::function<void(std::string_view)>& on_token_;
  Trace* trace_;
  std::stop_token stop_;
  Clock::time_point began_;
  double first_token_ms_ = 0;
  std::string_view asked_;
  std::string_view lang_;  // of asked_
  std::optional<Conversation> conversation_;
  FollowUp understood_;                      // asked_ with what it goes on from
  std::vector<Message> earlier_;             // what was said, where it goes on from that
  std::optional<MatchedQuestion> question_;  // that is answered
  Found found_;
  std::optional<std::string> key_;  // of what a generator writes
  std::vector<Passage> passages_;
  std::vector<std::size_t> hit_of_passage_;
  Answer answer_;
};

}  // namespace

Answer ask(KnowledgeBase& kb, std::string_view question, const AskOptions& options,
           const std::function<void(std::string_view)>& on_token, Trace* trace, std::stop_token stop) {
  return Asking(kb, question, options, on_token, trace, std::move(stop)).run();
}

}  // namespace hasten
