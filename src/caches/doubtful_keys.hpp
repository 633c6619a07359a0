#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Keys whose put or erase did not come about, or of which nobody knows: a server may hold an older value
/// than was put last. They are erased there before anything else is asked of it. Where there are too many,
/// all of the cache's values are. Thread-safe.
class DoubtfulKeys {
 public:
  static constexpr std::size_t kKeys = 10'000, kBytes = std::size_t{16} << 20;

  /// @param late  names the connection on which it may still come about; "": none.
  void add(std::string_view key, const std::string& late = {});
  void add_all();

  struct Doubts {
    bool all = false;  ///< keys is empty then
    std::vector<std::string> keys;
    std::vector<std::string> late;  ///< connections
  };
  /// Calls erase(doubts) where there are any, one call at a time; forgets those doubts when it returned true.
  /// @return false: they are still there, and the server must not be asked.
  bool settle(const std::function<bool(const Doubts&)>& erase);
  bool empty() const;

 private:
  Doubts doubts() const;
  bool none() const { return !all_ && keys_.empty() && late_.empty(); }

  mutable std::mutex mutex_;
  std::mutex settling_;
  std::map<std::string, std::uint64_t, std::less<>> keys_;  ///< with the time each was added
  std::map<std::string, std::uint64_t> late_;               ///< connections, with the same
  std::optional<std::uint64_t> all_;
  std::uint64_t now_ = 0;  ///< how many were added
  std::size_t bytes_ = 0;
};

}  // namespace hasten
