#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hasten {

/// Passes what clients and a server of the loopback device say on, counts it, and breaks connections where a
/// test wants that.
class Proxy {
 public:
  explicit Proxy(std::uint16_t server);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy();

  /// Of the server through it, without TLS, which it would not see through.
  std::string uri() const;
  /// How often clients waited for an answer: they spoke after the server had, or first.
  std::uint64_t round_trips() const noexcept { return round_trips_; }
  std::uint64_t bytes_to_clients() const noexcept { return bytes_; }

  enum class Break {
    none,
    before_commit,  ///< the next COMMIT never reaches the server
    after_commit,   ///< it does, and is answered, but the answer never reaches the client
  };
  void break_next(Break how) noexcept { break_ = how; }

 private:
  struct Pair;
  void serve();
  void pass_on(Pair& pair, bool from_client);

  std::uint16_t server_, port_ = 0;
  int listening_ = -1;
  std::atomic<bool> done_ = false;
  std::atomic<std::uint64_t> round_trips_ = 0, bytes_ = 0;
  std::atomic<Break> break_ = Break::none;
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::thread thread_;
};

}  // namespace hasten
