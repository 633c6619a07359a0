#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hasten/store.hpp"

namespace hasten {

/// A real server that keeps vectors, and how a knowledge base is told of it.
class VectorServer {
 public:
  virtual ~VectorServer() = default;
  /// As `hasten --store` takes it; searches that it does not answer fail within seconds.
  virtual std::string store() const = 0;
  /// Whether it has, after a kill, all that it had acknowledged.
  virtual bool keeps_all() const { return true; }
  virtual void kill() = 0;   ///< as a crash ends it
  virtual void start() = 0;  ///< again, over what it has kept; returns when it works
};

/// @param name  "chroma", "milvus_lite", "postgres"; "milvus", the real one, before the program has a second
///              thread. Null where it cannot be had here, and why.
std::unique_ptr<VectorServer> start_server(const std::string& name, std::string& why);

}  // namespace hasten
