#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/cache.hpp"
#include "hasten/embedder.hpp"
#include "hasten/error.hpp"
#include "hasten/filter.hpp"
#include "hasten/generator.hpp"
#include "hasten/index.hpp"
#include "hasten/models.hpp"
#include "hasten/node.hpp"
#include "hasten/reranker.hpp"
#include "hasten/search.hpp"
#include "hasten/settings.hpp"
#include "hasten/trace.hpp"
#include "hasten/transfer.hpp"
#include "hasten/transform.hpp"
#include "hasten/tune.hpp"

namespace hasten {

/// What ingest() may do and did.
struct IngestOptions {
  std::vector<std::string> include;  ///< globs a file must match one of; empty: all
  std::vector<std::string> exclude;  ///< globs of what is left out
  bool prune = false;                ///< forget documents whose root is gone or suddenly empty
  bool embed = true;                 ///< false: words only; the vectors come with the next ingest
  bool merge = true;                 ///< false: segments stay as they are written, for merge()
  std::vector<std::string> groups;   ///< node groups to make from now on, beside those made before
};

struct IngestFailure {
  std::string path;
  Code error;
  std::string message;
};

struct IngestReport {
  std::uint64_t files_seen = 0, files_new = 0, files_changed = 0, files_moved = 0;
  std::uint64_t files_unchanged = 0, files_removed = 0, files_skipped = 0, files_failed = 0;
  std::uint64_t nodes_added = 0, nodes_removed = 0, texts_embedded = 0;
  std::uint64_t bytes_read = 0, bytes_written = 0;
  double seconds = 0;
  std::vector<Stage> stages;
  std::vector<IngestFailure> failures;
  std::vector<std::string> notices;  ///< "root /data is empty: its 12 documents are kept; ..."
};

/// A document given by a program instead of a file.
struct TextDocument {
  std::string path;  ///< its name in the knowledge base; the same path replaces it
  std::string text;  ///< UTF-8
  Metadata metadata;
};

struct AskOptions {
  std::string generator;  ///< empty: the settings'
  std::size_t max_tokens = 256;
  double temperature = 0;
  std::string prompt;  ///< a template with {context} and {question}; empty: the built-in
  /// The conversation that the question is part of, by any name: what was asked and answered in it before is
  /// in the cache, for a day. A question that goes on from it ("and in Shanghai?") is searched for, and
  /// written about, together with it. Empty: none.
  std::string session;
  /// How the passages are found. top_k is 6 where it is absent, whatever the settings say.
  SearchOptions search;
};

/// A passage that supports a stretch of the answer.
struct Citation {
  std::uint64_t number = 0;  ///< 1, 2, ...: written [1] in the answer
  Id node_id;
  Id doc_id;
  std::string path;
  Span span;  ///< bytes of the document's text that support it
  std::optional<std::uint64_t> page;
  std::string text;    ///< the document's text at span
  double support = 0;  ///< share of the answer's words found there, 0 to 1
};

struct Answer {
  std::string text;
  std::vector<Citation> citations;
  bool found = false;  ///< false: "not in these documents"
  double relevance = 0;
  std::string generator;  ///< which one wrote it
  Generation metrics;     ///< its text is what the model wrote, before citations
  std::vector<Hit> hits;
  std::vector<std::string> notices;
  /// The earlier question that was answered, as it asks the same ([cache.semantic]). Empty: this one was.
  std::string matched_question;
};

/// How many of the true nearest a vector store that does not search exactly names among its candidates.
struct StoreRecall {
  double recall = 0;             ///< of the 10 nearest: the mean of the questions
  std::uint64_t candidates = 0;  ///< that it is asked for; 0: it named too few at most, all are scored here
  std::uint64_t questions = 0;   ///< made from the passages
};

/// One of the stores that a knowledge base is kept in.
struct StoreStatus {
  std::string role;  ///< "segment_store", "vector_store"
  std::string type;
  std::string where;
  /// Of a vector store beside the truth, in nodes: what it was sent, and what is searched here until then.
  std::optional<std::uint64_t> sent, waiting;
  std::map<std::string, StoreRecall> recall;  ///< by group, where it was measured as the group is now
};

/// What is in a knowledge base.
struct Status {
  std::string folder;
  std::uint64_t commit = 0;
  std::uint64_t documents = 0, documents_failed = 0, texts_bytes = 0;
  std::map<std::string, std::uint64_t> nodes;  ///< by group
  std::uint64_t vectors = 0, vectors_missing = 0;
  /// Here, by kind: truth, vectors, fields, other segments. Where a server has the truth, `server` is what
  /// all of it takes there, and the others are what is kept of it here.
  std::map<std::string, std::uint64_t> bytes;
  std::map<std::string, std::string> fingerprints;  ///< embedder, groups
  std::uint64_t segments = 0;
  std::vector<StoreStatus> stores;
  std::vector<CacheUse> caches;                                   ///< those that this process has used
  std::vector<std::pair<std::string, std::uint64_t>> most_asked;  ///< questions, the first ten
  std::vector<std::string> notices;                               ///< of the settings: Stores::notices
};

/// What verify() checked and found.
struct VerifyReport {
  std::map<std::string, std::uint64_t> checked;  ///< by kind: rows, texts, vectors, segments
  std::vector<std::string> problems;
  std::vector<std::string> repaired;
};

struct KnowledgeBase;

/// A knowledge base: source files, their node groups, vectors, word index and store, in one folder, or with
/// the truth where Settings::stores says.
///
/// One process writes at a time (ingest, add, remove, compact, verify with repair), any number read.
/// Every search sees one committed snapshot. All methods may be called from many threads.
class Document {
 public:
  enum class Access { read, write };

  /// Opens a knowledge base; with Access::write makes it if there is none. Costs a few
  /// milliseconds whatever its size: models and dictionaries load when first needed.
  /// @param folder  of a local one; where a server has the truth it is not looked at.
  /// @throws Error(not_found) nothing there to read; Error(damaged); Error(mismatch) a newer format
  ///         or other settings; Error(refused) a network file system, a copy by migrate() that is not whole
  ///         yet, a user or password that a server does not let in; Error(unavailable|timeout) no server that
  ///         answers.
  static Document open(const std::filesystem::path& folder, Settings settings = {},
                       Access access = Access::read);

  /// Saves what can be read of a local knowledge base that open() calls damaged: rows that are whole go
  /// into a new truth.db (the old one is kept as truth.db.damaged), segments are built anew, and
  /// the next ingest reads again what was lost. @return what was done, a line each.
  /// @throws Error(damaged) nothing can be read; Error(locked) another writer; Error(full|io).
  static std::vector<std::string> salvage(const std::filesystem::path& folder);

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  /// Adds a user's node group, before the first ingest that should make it.
  void create_node_group(std::string name, std::string parent, std::unique_ptr<Transform> transform);

  /// Makes a program's own embedder known as `name`, which Settings::embedder then says: of a model of
  /// its own, or of vectors that it has already. Before the first use; again with every open.
  /// @param embedder  must embed any text: questions too.
  /// @param tokens    what splitters count with; null: four bytes are a token.
  void register_embedder(std::string name, std::unique_ptr<Embedder> embedder,
                         std::unique_ptr<TokenCounter> tokens = nullptr);

  /// Adds an index of the user's own over the nodes of a group, as long as this object lives. Its name
  /// is then a similarity: Retriever{.group = group, .similarity = name}. It is brought up to date by
  /// the first search that asks it, and by the first after each commit; that search waits for it.
  /// @throws Error(invalid) the group has an index of this name, or it is "cosine" or "bm25".
  void register_index(std::string group, std::string name, std::unique_ptr<Index> index);

  /// Adds a user's reranker, for SearchOptions::reranker to name. What it throws costs that request only.
  /// @throws Error(invalid) the name is taken, or reads as a file, an address or a built-in one.
  void register_reranker(std::string name, std::unique_ptr<const Reranker> reranker);

  /// Brings the knowledge base up to date with files and folders. What is committed when it is
  /// stopped stays; the next call goes on there. A file that fails costs only itself.
  /// @throws Error(not_found) a path that is not there and never was; Error(locked) another writer;
  ///         Error(full); Error(cancelled).
  IngestReport ingest(std::span<const std::filesystem::path> paths, const IngestOptions& options = {},
                      const OnProgress& progress = {}, std::stop_token stop = {});

  /// Adds or replaces documents given as texts.
  IngestReport add(std::span<const TextDocument> documents, const IngestOptions& options = {},
                   const OnProgress& progress = {}, std::stop_token stop = {});

  /// Forgets documents under these paths. @return how many. @throws Error(not_found) none is there.
  std::uint64_t remove(std::span<const std::filesystem::path> paths);

  /// Searches. @throws Error(invalid) a question with no words that is only searched by words, a value
  /// out of range; Error(not_found) a group that was not made, a similarity that nobody registered;
  /// Error(mismatch) vectors of another embedder; Error(unavailable) an index of the user's failed.
  SearchResult search(std::string_view query, const SearchOptions& options = {}, Trace* trace = nullptr,
                      std::stop_token stop = {}) const;

  /// Answers from the documents, with citations, or says that they do not hold the answer.
  Answer ask(std::string_view question, const AskOptions& options = {},
             const std::function<void(std::string_view)>& on_token = {}, Trace* trace = nullptr,
             std::stop_token stop = {}) const;

  /// Where the truth is, for people: its folder, or a server, without the password. Asks nobody.
  std::string where() const;
  Status status() const;
  VerifyReport verify(bool repair = false, const OnProgress& progress = {});
  /// Writes a consistent copy of the newest commit into a folder, while others read and write here. The copy
  /// is a knowledge base, and read again as a whole before it gets its name: until then, and where this is
  /// stopped or killed, the folder is as it was. A second backup of the same knowledge base takes the first
  /// one's place. What a vector store has is not in it: the truth is.
  /// @throws Error(refused) the folder holds something else; Error(damaged) what is here is, and then nothing
  ///         is written; Error(locked) another backup into it; Error(cancelled); Error(full|io).
  BackupReport backup(const std::filesystem::path& to, const OnProgress& progress = {},
                      std::stop_token stop = {}) const;
  /// Makes a knowledge base of a backup, with a commit of its own. It has its name when all of it was read
  /// again. A vector store that the settings name is sent all vectors.
  /// @param folder  new or empty. @throws Error(not_found) no backup; Error(refused) the folder is neither,
  /// and
  ///        not to be replaced; Error(damaged) the backup is; Error(locked) somebody writes to what would be
  ///        replaced; Error(cancelled); Error(full|io).
  static RestoreReport restore(const std::filesystem::path& backup, const std::filesystem::path& folder,
                               Settings settings = {}, const RestoreOptions& options = {},
                               const OnProgress& progress = {}, std::stop_token stop = {});
  /// Moves a knowledge base to other stores without embedding: one commit of it, which the report names. The
  /// source stays as it was. A run that was stopped or killed is gone on with by the next; at the end all
  /// content is read on both sides and compared. Where only the vector store changes, the vectors go there.
  /// @param settings  of the target; its stores are those of `to`.
  /// @throws Error(refused) the target holds something else; Error(unavailable) a store cannot be reached:
  /// the
  ///         next run goes on; Error(internal) the sides differ; Error(locked|damaged|cancelled|full|io).
  static MigrateReport migrate(const Location& from, const Location& to, Settings settings = {},
                               const OnProgress& progress = {}, std::stop_token stop = {});
  /// Merges segments where that is worth it, for a thread of its own beside others that search, add and
  /// remove: none of them waits for it. An ingest ends with the merges that are cheap beside itself and
  /// leaves the others to this. It can be stopped at any time, and killed: nothing is lost.
  /// @return how many segments are gone. @throws Error(locked); Error(cancelled); Error(full|io).
  std::uint64_t merge(const OnProgress& progress = {}, std::stop_token stop = {});
  /// Merges all segments, drops what is deleted, gives the space back. @return bytes given back.
  std::uint64_t compact(const OnProgress& progress = {}, std::stop_token stop = {});
  /// Measures which index suits this corpus: builds each in the folder's `cache`, asks questions at its
  /// settings, compares with an exact scan, and chooses. The indexes are removed. Minutes for 100,000
  /// vectors.
  /// @throws Error(empty) no vectors; Error(not_found) a group that was not made; Error(mismatch) vectors of
  ///         another embedder; Error(locked) another tune() runs; Error(cancelled); Error(full|io).
  TuneReport tune(const TuneOptions& options = {}, const OnProgress& progress = {},
                  std::stop_token stop = {}) const;

 private:
  explicit Document(std::unique_ptr<KnowledgeBase> kb);
  std::unique_ptr<KnowledgeBase> kb_;
};

}  // namespace hasten
