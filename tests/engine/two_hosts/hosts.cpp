#include "tests/engine/two_hosts/hosts.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "tests/own_network.hpp"

namespace hasten {
namespace {

/// @return what it printed. @throws std::runtime_error it failed.
std::string done(const std::vector<std::string>& command) {
  Process process(command.front(), {command.begin() + 1, command.end()},
                  {.stderr_to = Process::Stderr::to_stdout});
  std::string said;
  while (const auto more = process.read(1 << 16, Process::Clock::time_point::max())) {
    if (more->empty()) break;
    said += *more;
  }
  if (process.wait() != 0) throw std::runtime_error(fmt::format("{}: {}", command.front(), said));
  return said;
}

constexpr const char* kHolder = "hostname \"$0\" && ip link set lo up && echo ready && exec cat";

}  // namespace

TwoHosts::TwoHosts()
    : second_("unshare", {"--net", "--uts", "sh", "-c", kHolder, kSecondName},
              {.stderr_to = Process::Stderr::to_stdout}) {
  const std::string said =
      second_.read(1 << 10, Process::Clock::now() + std::chrono::seconds(10)).value_or("");
  if (said != "ready\n") throw std::runtime_error("no second network: " + said);
  done({"ip", "link", "add", "name", "hasten0", "type", "veth", "peer", "name", "hasten1", "netns",
        std::to_string(second_.id())});
  done({"ip", "address", "add", std::string(kFirst) + "/24", "dev", "hasten0"});
  done({"ip", "link", "set", "hasten0", "up"});
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"address", "add", std::string(kSecond) + "/24", "dev", "hasten1"},
        {"link", "set", "hasten1", "up"}}) {
    std::vector<std::string> command = on_second();
    command.push_back("ip");
    command.insert(command.end(), words.begin(), words.end());
    done(command);
  }
}

std::unique_ptr<TwoHosts> TwoHosts::make(std::string& why) {
  why = enter_own_network();
  if (!why.empty()) return nullptr;
  try {
    return std::make_unique<TwoHosts>();
  } catch (const std::exception& error) {
    why = error.what();
    return nullptr;
  }
}

std::vector<std::string> TwoHosts::on_second() const {
  return {"nsenter", fmt::format("--net=/proc/{}/ns/net", second_.id()),
          fmt::format("--uts=/proc/{}/ns/uts", second_.id()), "--"};
}

void TwoHosts::cut() const { done({"ip", "link", "set", "hasten0", "down"}); }
void TwoHosts::restore() const { done({"ip", "link", "set", "hasten0", "up"}); }

Host::Host(std::vector<std::string> before, const std::vector<std::string>& words) {
  before.emplace_back(HASTEN_HOST_PROGRAM);
  before.insert(before.end(), words.begin(), words.end());
  process_ = std::make_unique<Process>(
      before.front(), std::vector<std::string>(before.begin() + 1, before.end()),
      Process::Options{.stderr_to = Process::Stderr::ours, .ends_with_thread = false});
  opened_ = answer();
}

void Host::tell(const nlohmann::json& what) { process_->write(what.dump() + "\n"); }

nlohmann::json Host::ask(const nlohmann::json& what) {
  tell(what);
  return answer();
}

nlohmann::json Host::answer() {
  for (auto end = said_.find('\n'); end == std::string::npos; end = said_.find('\n')) {
    const auto more = process_->read(1 << 16, Process::Clock::now() + std::chrono::seconds(120));
    if (!more || more->empty()) throw std::runtime_error("the host's process has ended, or hangs");
    said_ += *more;
  }
  const auto end = said_.find('\n');
  const auto line = said_.substr(0, end);
  said_.erase(0, end + 1);
  return nlohmann::json::parse(line);
}

}  // namespace hasten
