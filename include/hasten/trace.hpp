#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten {

/// One stage of a request: what it was, when it began, how long it took, what it moved.
struct Stage {
  std::string name;     ///< dotted words: "retrieve.bm25"
  double start_ms = 0;  ///< since the trace's origin (the start of the process on the command line)
  double duration_ms = 0;
  int depth = 0;                                           ///< nesting: 0 is the outermost
  std::vector<std::pair<std::string, std::string>> notes;  ///< "bytes" -> "1024", "cache" -> "miss"
};

/// The stages of one request, in the order they began. Thread-safe; recording a stage costs about
/// a microsecond. A null Trace* means "not traced" everywhere one is taken.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param origin  the moment that counts as zero.
  explicit Trace(Clock::time_point origin = Clock::now()) : origin_(origin) {}

  /// A stage being measured: it ends when the object dies or at end(). Not thread-safe itself.
  class Span {
   public:
    Span() = default;
    Span(Trace* trace, std::string_view name);
    Span(Span&& other) noexcept;
    Span& operator=(Span&& other) noexcept;
    ~Span() { end(); }
    void note(std::string_view key, std::string_view value);
    void note(std::string_view key, std::int64_t value);
    void end() noexcept;

   private:
    Trace* trace_ = nullptr;
    std::size_t at_ = 0;
    Clock::time_point began_;
  };

  /// Adds a stage that was measured elsewhere.
  void add(std::string_view name, Clock::time_point began, Clock::duration took, int depth = 0,
           std::vector<std::pair<std::string, std::string>> notes = {});

  /// A copy of the stages so far, in the order they began; a stage still open lasts until now.
  std::vector<Stage> stages() const;

  double elapsed_ms() const;

 private:
  friend class Span;
  mutable std::mutex mutex_;
  Clock::time_point origin_;
  std::vector<Stage> stages_;
  std::vector<bool> open_;
  int depth_ = 0;
};

/// The stages as a waterfall for a terminal of `width` columns: one line a stage, with its bar.
std::string waterfall(const std::vector<Stage>& stages, int width = 100);

}  // namespace hasten
