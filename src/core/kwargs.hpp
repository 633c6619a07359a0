#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Reads the settings of one part from a JSON object, key by key, and refuses at the end those that nobody
/// asked for. Every error names the whole key ("store.kwargs.index_kwargs.M") and says what would be right.
class Kwargs {
 public:
  /// @param object  null or absent stands for one without keys; the object outlives this.
  /// @param where   its own key: "store.kwargs". @throws Error(invalid) it is no object.
  Kwargs(const nlohmann::json& object, std::string where);

  bool has(std::string_view key);
  /// Each gives the value of a key, or what stands in for one that is missing or null.
  /// @throws Error(invalid) another type, or out of its bounds.
  std::string text(std::string_view key, std::string missing = {});
  std::int64_t integer(std::string_view key, std::int64_t missing, std::int64_t min, std::int64_t max);
  double number(std::string_view key, double missing, double min, double max);
  bool flag(std::string_view key, bool missing);
  /// An object within, with its own place; one without keys where it is missing.
  Kwargs object(std::string_view key);
  /// Any value as it is; null where it is missing.
  const nlohmann::json& value(std::string_view key);

  /// @throws Error(invalid) a key that was not asked for, naming the nearest of those that were.
  void done() const;
  /// The whole key of one in here, for messages of others.
  std::string place(std::string_view key) const { return where_ + "." + std::string(key); }

 private:
  const nlohmann::json& object_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace hasten
