#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "stores/milvus/milvus_client.hpp"

namespace hasten {

/// Makes, checks, loads and drops collections. Thread-safe.
class MilvusCollections {
 public:
  MilvusCollections(MilvusClient& client, const MilvusOptions& options)
      : client_(client), options_(options) {}

  void open(const VectorCollection& collection);
  void drop(const std::string& name);
  std::vector<std::string> names(std::string_view prefix);
  /// Asks the server to hold it in memory, and waits until it does.
  void load(const std::string& name, const std::stop_token& stop = {});

  /// Has segments that grow end, and waits until the server searches what was in them by their index.
  void settle(const std::string& name, const std::stop_token& stop);

  using Parameters = std::map<std::string, std::int64_t>;

 private:
  struct Index {
    std::string name, type, metric;
    Parameters parameters;
    std::string failed;  ///< why it cannot be built; "": it can
  };

  std::optional<std::size_t> dim_of(const std::string& name);
  std::optional<Index> index_of(const std::string& name);
  void create(const VectorCollection& collection);
  void check_offered();
  [[noreturn]] void refuse_type(const std::string& why);
  void ensure_index(const VectorCollection& collection, const Parameters& parameters);
  void create_index(const VectorCollection& collection, const Parameters& parameters);
  void drop_index(const VectorCollection& collection, const std::string& index);
  bool is_settled(const std::string& name, const std::stop_token& stop);
  void index_documents(const std::string& name);
  std::string version();  ///< "v2.3.5", "milvus_lite-3.2.2"

  MilvusClient& client_;
  const MilvusOptions& options_;
  std::mutex mutex_;
  std::string version_;  // under mutex_; "" until it was asked
};

}  // namespace hasten
