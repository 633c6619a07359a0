#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "hasten/error.hpp"

namespace hasten {

/// Equal requests at the same time are made once: the first makes, the others wait for what it made. Nothing
/// is kept beyond that: a request that comes later is made again. Thread-safe.
template <class V>
class SingleFlight {
 public:
  /// What make() returned to this thread, or to another that asked for the same key at this time.
  /// @param make  must not ask for the same key again: it would wait for itself.
  /// @param stop  ends the waiting. make() has its own to look at: one that throws as its own caller's stop
  /// was
  ///     requested fails that caller alone, and one of those who wait makes anew.
  /// @throws Error(cancelled) stop was requested; else what make() threw, to all that waited for it.
  V run(const std::string& key, const std::function<V()>& make, std::stop_token stop = {}) {
    while (true) {
      bool leads = false;
      const std::shared_ptr<Flight> flight = join(key, leads);
      if (leads) return lead(key, *flight, make, stop);
      if (std::optional<V> value = wait(*flight, stop)) return std::move(*value);
    }
  }

 private:
  struct Flight {  // shared: those who wait may outstay the leader
    std::mutex mutex;
    std::condition_variable_any landed;
    bool has_landed = false;
    std::optional<V> value;  ///< nothing, and no error: the leader was cancelled
    std::exception_ptr failure;
  };

  std::shared_ptr<Flight> join(const std::string& key, bool& leads) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Flight>& flight = flights_[key];
    leads = flight == nullptr;
    if (leads) flight = std::make_shared<Flight>();
    return flight;
  }

  V lead(const std::string& key, Flight& flight, const std::function<V()>& make,
         const std::stop_token& stop) {
    try {
      V value = make();
      land(key, flight, value, nullptr);
      return value;
    } catch (...) {
      land(key, flight, std::nullopt, stop.stop_requested() ? nullptr : std::current_exception());
      throw;
    }
  }

  void land(const std::string& key, Flight& flight, std::optional<V> value, std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      flights_.erase(key);
    }
    {
      const std::lock_guard lock(flight.mutex);
      flight.value = std::move(value);
      flight.failure = std::move(failure);
      flight.has_landed = true;
    }
    flight.landed.notify_all();
  }

  /// Nothing where the leader was cancelled.
  std::optional<V> wait(Flight& flight, const std::stop_token& stop) {
    std::unique_lock lock(flight.mutex);
    if (!flight.landed.wait(lock, stop, [&] { return flight.has_landed; })) {
      throw Error(Code::cancelled, "cancelled while another made the same");
    }
    if (flight.failure) std::rethrow_exception(flight.failure);
    return flight.value;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace hasten
