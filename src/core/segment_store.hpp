#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment.hpp"
#include "hasten/error.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// A document as the segment store keeps it.
struct DocumentRow {
  std::uint32_t number = 0;  ///< given by the store, never reused
  Id id;
  std::string root;        ///< canonical folder it was ingested from; "" for added texts
  std::string shown;       ///< the root as it was typed: what paths begin with for people
  std::string path;        ///< relative to root, '/' between parts
  std::uint64_t size = 0;  ///< of the file
  std::int64_t mtime_ns = 0;
  std::string content_hash;  ///< SHA-256 of the file's bytes, hex
  bool failed = false;       ///< it could not be read: error and message say why
  Code error = Code::internal;
  std::string message;
  std::string format;
  Metadata metadata;  ///< title, lang, front matter, ...
  std::vector<std::uint64_t> pages;
  std::uint64_t text_bytes = 0;
};

/// A node as the segment store keeps it; its text is the document's at span unless it is derived.
struct NodeRow {
  NodeNumber number = 0;  ///< given by the store, rising, never reused
  Id id;
  std::uint32_t document = 0;
  std::uint32_t group = 0;  ///< GroupRow::id
  Span span;
  Id text_hash;
  std::optional<Id> parent;
  std::uint32_t ordinal = 0;  ///< Node::number
  bool derived = false;
  std::string text;   ///< of derived nodes only
  Metadata metadata;  ///< its own, without the document's
};

/// A part of a document's text.
struct TextPlace {
  std::uint32_t document = 0;
  Span span;
};

struct GroupRow {
  std::uint32_t id = 0;
  std::string name;
  std::string parent;
  std::string signature;  ///< of the whole chain of transforms up to root
};

/// How the names of segments end that lie in the store itself instead of a file.
constexpr std::string_view kImageName = ".row";
constexpr bool is_image_name(std::string_view file) noexcept { return file.ends_with(kImageName); }

/// A row of the manifest: one segment file and what is deleted in it.
struct SegmentRow {
  std::uint64_t id = 0;
  std::string kind;  ///< "words", "flat"
  std::uint32_t group = 0;
  std::string signature;      ///< rules of the words, or fingerprint of the embedder
  std::string file;           ///< name within segments/, or of an image: see in_truth()
  NodeNumber first_node = 0;  ///< the lowest number in it: segments() is in this order
  std::uint64_t nodes = 0;
  std::uint64_t total_length = 0;  ///< words: of all its nodes
  std::uint64_t deleted_nodes = 0;
  std::uint64_t deleted_length = 0;    ///< words: of the deleted ones
  std::vector<std::uint64_t> deleted;  ///< bitmap by position; empty when none is

  /// Whether its bytes lie in the store itself, as those of small ones do: a commit of few nodes makes no
  /// files.
  bool in_truth() const noexcept { return is_image_name(file); }
};

/// A text of a node that has no vector of a model yet.
struct PendingText {
  Id text_hash;
  std::uint32_t document = 0;
  Span span;
  std::string derived_text;  ///< set instead of the span for derived nodes
};

struct StoreCounts {
  std::uint64_t documents = 0, documents_failed = 0, text_bytes = 0, vectors = 0;
  std::vector<std::pair<std::string, std::uint64_t>> nodes;  ///< by group name
};

/// What verify found wrong in rows or vectors.
struct StoreProblem {
  std::string what;            ///< "document 12 (docs/a.md): row hash does not fit"
  std::uint32_t document = 0;  ///< 0: none in particular
};

/// Of every commit a number, and one that was drawn at random for it: no two histories have both, as one that
/// goes on from a copy has the same numbers.
struct CommitName {
  std::uint64_t number = 0;
  std::uint64_t id = 0;  ///< 0: an earlier program made it
  bool operator==(const CommitName&) const = default;
};

/// How many commits follows() and changed_documents() look back.
constexpr std::uint64_t kCommitsRemembered = 4096;

/// A row of the vectors from before a compaction was asked for: a new snapshot names it anew.
class OutdatedRow : public Error {
 public:
  using Error::Error;
};

/// The truth of a knowledge base: documents, texts, nodes, vectors, settings, and the manifest of segments
/// with what lies in them. Everything else is derived from it. One writer at a time, in whichever process;
/// any number of readers. Thread-safe.
class SegmentStore {
 public:
  enum class Access { read, write };

  virtual ~SegmentStore() = default;

  /// Where the truth is, for people: its folder, or a server and what names it there, without passwords.
  virtual std::string where() const { return folder().string(); }
  /// What all of it takes on a server; nothing where it lies in folder() alone.
  virtual std::optional<std::uint64_t> server_bytes() const { return std::nullopt; }
  /// The folder of the knowledge base on this machine; of a store on a server, what is kept of it here.
  virtual const std::filesystem::path& folder() const noexcept = 0;
  /// Where the files of its segments are written, for add_segment(): it may take them from there.
  virtual std::filesystem::path segments_folder() const = 0;

  /// A consistent view of one commit; short-lived. Many at a time, from many threads, one thread
  /// each. Dies before the store. Every method throws Error(damaged) on a row that does not fit its
  /// hash, Error(io).
  class Reading {
   public:
    virtual ~Reading() = default;
    /// The number of the commit that is seen.
    virtual std::uint64_t seen() const = 0;
    virtual CommitName commit_name() const = 0;
    /// Whether `since` is this commit, or an earlier one of its history that is not too long ago. One
    /// look-up.
    virtual bool follows(const CommitName& since) const = 0;
    /// Documents of which rows, or rows of whose nodes, were rewritten by the commits after `since`: rising,
    /// each once. Those added are not among them; those removed since may be. Nothing where `since` is not of
    /// this history, is too long ago, or a commit rewrote very many.
    virtual std::optional<std::vector<std::uint32_t>> changed_documents(const CommitName& since) const = 0;
    virtual std::optional<std::string> setting(std::string_view key) const = 0;
    virtual std::vector<GroupRow> groups() const = 0;
    virtual std::vector<SegmentRow> segments() const = 0;  ///< by group, kind, then rising node numbers
    /// The bytes of a segment that lies in the store itself. @throws Error(damaged) they are missing, too.
    virtual std::vector<std::byte> segment_image(const SegmentRow& row) const = 0;
    /// The file of a segment that does not, on this machine. Where it is missing it is for who opens it to
    /// say, unless the store has it elsewhere: then it is brought here. @throws Error(damaged) it cannot be.
    virtual std::filesystem::path segment_file(const SegmentRow& row) const = 0;
    /// The documents of these numbers, in their order; those that are not there are missing from the answer.
    /// As of nodes and texts, many are asked for at once: a store on a server answers so in the time of one.
    virtual std::vector<DocumentRow> documents(std::span<const std::uint32_t> numbers) const = 0;
    std::optional<DocumentRow> document(std::uint32_t number) const;
    virtual std::optional<DocumentRow> find_document(std::string_view root, std::string_view path) const = 0;
    virtual bool has_document_id(const Id& id) const = 0;
    virtual std::vector<std::string> roots() const = 0;  ///< of all documents, each once
    /// Numbers of the root's documents at `path` or, as if it were a folder, under it; "": all.
    virtual std::vector<std::uint32_t> documents_under(std::string_view root,
                                                       std::string_view path) const = 0;
    /// In rising order of number.
    virtual void for_each_document(const std::function<void(const DocumentRow&)>& function) const = 0;
    /// The nodes of these numbers, in their order; deleted ones are missing from the answer.
    virtual std::vector<NodeRow> nodes(std::span<const NodeNumber> numbers) const = 0;
    virtual std::vector<NodeRow> nodes_of(std::uint32_t document) const = 0;
    virtual std::optional<NodeRow> find_node(const Id& id) const = 0;
    /// Nodes of a group with first <= number <= last, in rising order.
    virtual void for_each_node(std::uint32_t group, NodeNumber first, NodeNumber last,
                               const std::function<void(const NodeRow&)>& function) const = 0;
    /// Parts of documents' texts, in their order: unpacks only the frames that hold them. What lies beyond a
    /// text's end is damage. @throws Error(damaged)
    virtual std::vector<std::string> texts(std::span<const TextPlace> places) const = 0;
    std::string text(std::uint32_t document, Span span) const;
    /// All of a document's text. @throws Error(not_found) no such document; Error(damaged)
    std::string text(std::uint32_t document) const;
    /// Texts of these groups' nodes that lack a vector of `model`, each once, in rising node order.
    virtual std::vector<PendingText> texts_without_vectors(std::string_view model,
                                                           std::span<const std::uint32_t> groups) const = 0;
    /// Where the texts' vectors lie, in their order: what vector() takes.
    virtual std::vector<std::optional<std::uint64_t>> vector_rows(std::string_view model,
                                                                  std::span<const Id> text_hashes) const = 0;
    std::optional<std::uint64_t> vector_row(std::string_view model, const Id& text_hash) const {
      return vector_rows(model, std::span(&text_hash, 1)).front();
    }
    virtual StoreCounts counts() const = 0;
  };

  /// A write transaction: all of it at commit(), or nothing. One at a time; the object reads what
  /// it has written. After an error of code full, io or damaged only its death is left to it.
  class Writing : public Reading {
   public:
    virtual void set_setting(std::string_view key, std::string_view value) = 0;
    /// Inserts (number 0) or replaces a document's row and, when given, its text: text_bytes
    /// follows from it, or stays what it was. @return its number. @throws Error(invalid) an id or a
    /// path that another document has; Error(not_found) no document of that number.
    virtual std::uint32_t put_document(const DocumentRow& row, const std::string* text) = 0;
    /// Its row, texts and nodes. Vectors stay until compact.
    virtual void remove_document(std::uint32_t number) = 0;
    virtual std::uint32_t put_group(const GroupRow& row) = 0;  ///< inserts (id 0) or replaces. @return its id
    /// Gives numbers in the order given, writing them into the rows.
    /// @throws Error(invalid) an id that is there already, a document or group that is not.
    virtual void add_nodes(std::span<NodeRow> nodes) = 0;
    /// Rewrites what may move under a node that stays: span, parent, ordinal, metadata.
    virtual void update_nodes(std::span<const NodeRow> nodes) = 0;
    virtual void remove_nodes(std::span<const NodeNumber> numbers) = 0;
    /// A group's row, its nodes and its rows of the manifest.
    virtual void remove_group(std::uint32_t id) = 0;
    /// Records vectors appended to the model's file (already synced). A text that has one keeps it.
    virtual void add_vectors(std::string_view model, std::span<const Id> text_hashes,
                             std::uint64_t first_row) = 0;
    /// Of a file that is synced; commit() syncs its folder. row.id is ignored.
    /// @param image  its bytes, where row.in_truth(). @return its id
    virtual std::uint64_t add_segment(const SegmentRow& row, std::span<const std::byte> image = {}) = 0;
    virtual void update_segment_deleted(const SegmentRow& row) = 0;
    virtual void remove_segment(std::uint64_t id) = 0;  ///< its file is unlinked after the commit
    /// The number that commit() will give.
    virtual std::uint64_t commit_number() const = 0;
    /// Durable when it returns. @return the commit's number. @throws Error(full|io)
    virtual std::uint64_t commit() = 0;
  };

  /// Where the rows of a model's vectors went: old -> new, in rising order of old.
  struct MovedVectors {
    std::string model;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> rows;
  };
  /// Called within the commit that moves vectors, so that segments which hold rows are replaced in
  /// the same commit; not called when none moved.
  using OnMoved = std::function<void(Writing&, const std::vector<MovedVectors>&)>;

  virtual std::unique_ptr<Reading> read() const = 0;
  /// The newest commit: what read()->commit_name() says, in less time. Thread-safe.
  virtual CommitName newest() const = 0;
  /// Waits for another thread's transaction to end.
  /// @throws Error(locked) opened for reading only, or another's lasts longer than a minute.
  virtual std::unique_ptr<Writing> write() = 0;

  /// Appends vectors of `model` (its fingerprint) to its file and syncs it; they count once
  /// add_vectors() is committed. @param values [text_hashes.size(), dim].
  /// @return the row of the first; the others follow it. A row is a name, not a position: it says
  ///         which generation of the file it is in, and compact() gives new ones.
  /// @throws Error(locked) opened for reading only; Error(mismatch) the model's vectors have
  ///         another dimension; Error(full|io|damaged). One thread at a time.
  virtual std::uint64_t append_vectors(std::string_view model, std::size_t dim,
                                       std::span<const Id> text_hashes, std::span<const float> values) = 0;
  /// A vector of a committed row, full precision, mapped; valid while the store is open.
  /// Checked on first touch. Thread-safe.
  /// @throws Error(not_found) a row from before a compaction: look it up again; Error(damaged).
  virtual std::span<const float> vector(std::string_view model, std::uint64_t row) const = 0;
  /// vector() for who reads many rows in a short time, as a search does: whether the file was cut short is
  /// looked at once. Thread-safe; dies before the store.
  virtual std::function<std::span<const float>(std::uint64_t)> vectors(std::string_view model) const = 0;
  /// As vector(), but read into memory of the caller's instead of mapped.
  virtual std::vector<float> read_vector(std::string_view model, std::uint64_t row) const = 0;
  /// Has the system fetch a vector that read_vector() will be asked for soon.
  virtual void fetch_vector(std::string_view model, std::uint64_t row) const = 0;
  /// Brings vectors here that vector() or vectors() will be asked for next, at one go, where that saves
  /// waiting for each. What is wrong with one is for who reads it to say.
  virtual void fetch_vectors(std::string_view model, std::span<const std::uint64_t> rows) const = 0;

  /// Checks row hashes, text frames, cross-references, counters and vector records. What it reads
  /// is one commit; writers go on meanwhile.
  /// @param checked  where given, receives how many of each kind were read.
  virtual std::vector<StoreProblem> verify(
      std::vector<std::pair<std::string, std::uint64_t>>* checked = nullptr) const = 0;

  /// Drops vectors whose text no node has, rewrites their files, gives the space back and wipes
  /// what was deleted: while nobody reads an older commit, no file of the store holds it any more.
  /// The caller has merged the segments. A crash leaves it as before or as after.
  /// @return what was moved. @throws Error(locked) opened for reading only; Error(full|io|damaged)
  virtual std::vector<MovedVectors> compact(const OnMoved& within = {}) = 0;

  /// Lets go of what verify() finds damaged and what cannot be had back from within: documents (the
  /// next ingest reads them again), vectors (it embeds them again), segments (built again); counts
  /// anew what is counted. Vectors of a damaged file move, as in compact().
  /// @return what was done, a line each. @throws Error(locked) opened for reading only;
  ///         Error(damaged) where too little can be read: a local one is then salvaged.
  virtual std::vector<std::string> repair(const OnMoved& within = {}) = 0;
};

/// What append_vectors() takes: n vectors of dim finite numbers. @throws Error(invalid)
void check_vectors(std::string_view model, std::size_t dim, std::size_t n, std::span<const float> values);

}  // namespace hasten
