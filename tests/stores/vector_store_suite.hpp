#pragma once

#include <memory>
#include <string>

#include "core/vector_store.hpp"

namespace hasten {

/// The server that the suite runs against; each test program has one.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  /// Another client of the same server. One that is not there is for the first request to say.
  virtual std::unique_ptr<VectorStore> connect() = 0;

  /// Whether there is one that can be killed and comes back with what it has acknowledged.
  virtual bool has_server() const = 0;
  virtual void kill() {}
  virtual void start() {}
  virtual void pause() {}  ///< it hangs
  virtual void resume() {}

  /// How much of the true nearest a search finds at least, where the store is not exact.
  virtual double recall_min() const { return 1; }
};

/// Made once a program, by the file that knows the store. Null where it cannot be had here: every test is
/// then skipped with `why`.
std::unique_ptr<StoreUnderTest> make_store_under_test(std::string& why);

}  // namespace hasten
