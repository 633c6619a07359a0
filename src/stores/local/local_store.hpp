#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.hpp"
#include "hasten/error.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// A document as truth.db keeps it.
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

/// A node as truth.db keeps it; its text is the document's at span unless it is derived.
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

struct GroupRow {
  std::uint32_t id = 0;
  std::string name;
  std::string parent;
  std::string signature;  ///< of the whole chain of transforms up to root
};

/// How the names of segments end that lie in truth.db instead of a file.
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

  /// Whether its bytes lie in truth.db, as those of small ones do: a commit of few nodes then makes no files.
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

/// What verify found wrong in truth.db or the vector files.
struct StoreProblem {
  std::string what;            ///< "document 12 (docs/a.md): row hash does not fit"
  std::uint32_t document = 0;  ///< 0: none in particular
};

/// A row of the vectors from before a compaction was asked for: a new snapshot names it anew.
class OutdatedRow : public Error {
 public:
  using Error::Error;
};

/// The local knowledge base's truth: SQLite (WAL, synchronous FULL) for documents, texts, nodes,
/// settings and the manifest of segments; vector files beside it. Layout and rules: docs/format.md.
class LocalStore {
 public:
  enum class Access { read, write };

  /// Opens, or with Access::write makes, the store in `folder`. Writing takes the writer's lock
  /// and removes what a crash left over (temporary and orphaned files, uncommitted vectors).
  /// @param owner  named to others who find the lock held: "ingest".
  /// @throws Error(not_found) nothing there to read; Error(locked) another writer; Error(damaged);
  ///         Error(mismatch) a newer format; Error(refused) a network file system, a folder that
  ///         cannot be written or one that holds other things; Error(io).
  LocalStore(const std::filesystem::path& folder, Access access, std::string_view owner);
  LocalStore(LocalStore&&) noexcept;
  LocalStore& operator=(LocalStore&&) noexcept;
  ~LocalStore();

  const std::filesystem::path& folder() const noexcept;
  std::filesystem::path segments_folder() const;

  /// A consistent view of one commit; short-lived. Many at a time, from many threads, one thread
  /// each. Dies before the store. Every method throws Error(damaged) on a row that does not fit its
  /// hash, Error(io).
  class Reading {
   public:
    Reading(Reading&&) noexcept;
    ~Reading();
    std::uint64_t commit() const;
    std::optional<std::string> setting(std::string_view key) const;
    std::vector<GroupRow> groups() const;
    std::vector<SegmentRow> segments() const;  ///< by group, kind, then rising node numbers
    /// The bytes of a segment that lies in truth.db. @throws Error(damaged) they are missing, too.
    std::vector<std::byte> segment_image(const SegmentRow& row) const;
    std::optional<DocumentRow> document(std::uint32_t number) const;
    std::optional<DocumentRow> find_document(std::string_view root, std::string_view path) const;
    bool has_document_id(const Id& id) const;
    std::vector<std::string> roots() const;  ///< of all documents, each once
    /// Numbers of the root's documents at `path` or, as if it were a folder, under it; "": all.
    std::vector<std::uint32_t> documents_under(std::string_view root, std::string_view path) const;
    /// In rising order of number.
    void for_each_document(const std::function<void(const DocumentRow&)>& function) const;
    /// The nodes of these numbers, in their order; deleted ones are missing from the answer.
    std::vector<NodeRow> nodes(std::span<const NodeNumber> numbers) const;
    std::vector<NodeRow> nodes_of(std::uint32_t document) const;
    std::optional<NodeRow> find_node(const Id& id) const;
    /// Nodes of a group with first <= number <= last, in rising order.
    void for_each_node(std::uint32_t group, NodeNumber first, NodeNumber last,
                       const std::function<void(const NodeRow&)>& function) const;
    /// A document's text, or a part of it: unpacks only the frames that hold it.
    /// @throws Error(damaged)
    std::string text(std::uint32_t document) const;
    std::string text(std::uint32_t document, Span span) const;
    /// Texts of these groups' nodes that lack a vector of `model`, each once, in rising node order.
    std::vector<PendingText> texts_without_vectors(std::string_view model,
                                                   std::span<const std::uint32_t> groups) const;
    /// Row in the model's vector file.
    std::optional<std::uint64_t> vector_row(std::string_view model, const Id& text_hash) const;
    StoreCounts counts() const;

   protected:
    friend class LocalStore;
    struct State;
    explicit Reading(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  /// A write transaction: all of it at commit(), or nothing. One at a time; the object reads what
  /// it has written. After an error of code full, io or damaged only its death is left to it.
  class Writing : public Reading {
   public:
    Writing(Writing&&) noexcept;
    ~Writing();  // rolls back unless committed
    void set_setting(std::string_view key, std::string_view value);
    /// Inserts (number 0) or replaces a document's row and, when given, its text: text_bytes
    /// follows from it, or stays what it was. @return its number. @throws Error(invalid) an id or a
    /// path that another document has; Error(not_found) no document of that number.
    std::uint32_t put_document(const DocumentRow& row, const std::string* text);
    /// Its row, texts and nodes. Vectors stay until compact.
    void remove_document(std::uint32_t number);
    std::uint32_t put_group(const GroupRow& row);  ///< inserts (id 0) or replaces. @return its id
    /// Gives numbers in the order given, writing them into the rows.
    /// @throws Error(invalid) an id that is there already, a document or group that is not.
    void add_nodes(std::span<NodeRow> nodes);
    /// Rewrites what may move under a node that stays: span, parent, ordinal, metadata.
    void update_nodes(std::span<const NodeRow> nodes);
    void remove_nodes(std::span<const NodeNumber> numbers);
    /// A group's row, its nodes and its rows of the manifest.
    void remove_group(std::uint32_t id);
    /// Records vectors appended to the model's file (already synced). A text that has one keeps it.
    void add_vectors(std::string_view model, std::span<const Id> text_hashes, std::uint64_t first_row);
    /// Of a file that is synced; commit() syncs its folder. row.id is ignored.
    /// @param image  its bytes, where row.in_truth(). @return its id
    std::uint64_t add_segment(const SegmentRow& row, std::span<const std::byte> image = {});
    void update_segment_deleted(const SegmentRow& row);
    void remove_segment(std::uint64_t id);  ///< its file is unlinked after the commit
    /// The number that commit() will give.
    std::uint64_t commit_number() const;
    /// Durable when it returns. @return the commit's number. @throws Error(full|io)
    std::uint64_t commit();

   private:
    friend class LocalStore;
    explicit Writing(std::unique_ptr<State> state);
  };

  Reading read() const;
  /// Waits for another thread's transaction to end.
  /// @throws Error(locked) opened for reading only, or another's lasts longer than a minute.
  Writing write();

  /// Appends vectors of `model` (its fingerprint) to its file and syncs it; they count once
  /// add_vectors() is committed. @param values [text_hashes.size(), dim].
  /// @return the row of the first; the others follow it. A row is a name, not a position: it says
  ///         which generation of the file it is in, and compact() gives new ones.
  /// @throws Error(locked) opened for reading only; Error(mismatch) the model's vectors have
  ///         another dimension; Error(full|io|damaged). One thread at a time.
  std::uint64_t append_vectors(std::string_view model, std::size_t dim, std::span<const Id> text_hashes,
                               std::span<const float> values);
  /// A vector of a committed row, full precision, mapped; valid while the store is open.
  /// Checked on first touch. Thread-safe.
  /// @throws Error(not_found) a row from before a compaction: look it up again; Error(damaged).
  std::span<const float> vector(std::string_view model, std::uint64_t row) const;
  /// vector() for who reads many rows in a short time, as a search does: whether the file was cut short is
  /// looked at once. Thread-safe; dies before the store.
  std::function<std::span<const float>(std::uint64_t)> vectors(std::string_view model) const;
  /// As vector(), but read into memory of the caller's instead of mapped.
  std::vector<float> read_vector(std::string_view model, std::uint64_t row) const;
  /// Has the system fetch a vector that read_vector() will be asked for soon.
  void fetch_vector(std::string_view model, std::uint64_t row) const;

  /// Checks row hashes, text frames, cross-references, counters and vector records. What it reads
  /// is one commit; writers go on meanwhile.
  /// @param checked  where given, receives how many of each kind were read.
  std::vector<StoreProblem> verify(
      std::vector<std::pair<std::string, std::uint64_t>>* checked = nullptr) const;

  /// Where the rows of a model's vectors went: old -> new, in rising order of old.
  struct MovedVectors {
    std::string model;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> rows;
  };
  /// Called within the commit that moves vectors, so that segments which hold rows are replaced in
  /// the same commit; not called when none moved.
  using OnMoved = std::function<void(Writing&, const std::vector<MovedVectors>&)>;

  /// Drops vectors whose text no node has, rewrites their files, gives the space back and wipes
  /// what was deleted: while nobody reads an older commit, no file of the store holds it any more.
  /// The caller has merged the segments. A crash leaves it as before or as after.
  /// @return what was moved. @throws Error(locked) opened for reading only; Error(full|io|damaged)
  std::vector<MovedVectors> compact(const OnMoved& within = {});

  /// Lets go of what verify() finds damaged and what cannot be had back from within: documents (the
  /// next ingest reads them again), vectors (it embeds them again), segments (built again); counts
  /// anew what is counted. Vectors of a damaged file move, as in compact().
  /// @return what was done, a line each. @throws Error(locked) opened for reading only;
  ///         Error(damaged) where SQLite cannot read the file any more: then salvage() it.
  std::vector<std::string> repair(const OnMoved& within = {});

  /// Copies every row that can be read and fits its hash into a new truth.db, puts it in the place
  /// of the damaged one (kept as truth.db.damaged) and repairs it. Without rows lost it changes
  /// nothing that can be seen. @return what was done, a line each.
  /// @throws Error(damaged) not even the head can be read: ingest again into a new folder;
  ///         Error(locked) another writer; Error(full|io).
  static std::vector<std::string> salvage(const std::filesystem::path& folder, std::string_view owner);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hasten
