#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace hasten {

/// Two hosts on one machine: network namespaces with a cable between them, and a host's name each. The first
/// is that of this program. All of it ends with the program, however that does.
class TwoHosts {
 public:
  static constexpr const char* kFirst = "10.213.0.1";
  static constexpr const char* kSecond = "10.213.0.2";
  static constexpr const char* kSecondName = "second-host";

  /// Before the program has a second thread. Null where this machine does not let it, and why.
  static std::unique_ptr<TwoHosts> make(std::string& why);
  TwoHosts();

  /// What a command is run by that is to run on the second host; on the first it is run by itself.
  std::vector<std::string> on_second() const;
  void cut() const;
  void restore() const;

 private:
  Process second_;  // holds the second namespace open
};

/// A process that serves a knowledge base on one of them (host.cpp).
class Host {
 public:
  /// @param before  what it is run by. @param words  store, cache, folder, "read" or "write".
  Host(std::vector<std::string> before, const std::vector<std::string>& words);

  /// What it said when it opened the knowledge base.
  const nlohmann::json& opened() const { return opened_; }
  nlohmann::json ask(const nlohmann::json& what);
  /// Without waiting for the answer.
  void tell(const nlohmann::json& what);
  nlohmann::json search(const std::string& question) { return ask({{"search", question}}); }
  void kill() { process_->kill(); }
  pid_t id() const { return process_->id(); }

 private:
  nlohmann::json answer();

  std::unique_ptr<Process> process_;
  std::string said_;
  nlohmann::json opened_;
};

}  // namespace hasten
