#include "tests/stores/postgres/postgres_server.hpp"

#include <fmt/format.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "hasten/error.hpp"
#include "stores/postgres/connection.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr auto kWheel = "pgserver==0.1.4";

/// Its state in /proc, behind the name in parentheses; a process that has ended and waits to be reaped is
/// gone.
bool is_gone(pid_t id) {
  std::ifstream file(fmt::format("/proc/{}/stat", id));
  const std::string stat((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end + 2, 1) == "Z";
}

std::vector<pid_t> children_of(pid_t id) {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", id));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

fs::path made_folder() {
  std::string pattern = (fs::temp_directory_path() / "hasten-postgres-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  fs::permissions(pattern, fs::perms(0755));
  return pattern;
}

fs::path site_packages(const fs::path& bin) {
  for (const auto& entry : fs::directory_iterator(bin.parent_path() / "lib")) {
    if (fs::exists(entry.path() / "site-packages/pgserver")) return entry.path() / "site-packages";
  }
  throw std::runtime_error("no pgserver in " + bin.string());
}

/// What stands before a command: root becomes nobody, who cannot write into what is root's.
std::vector<std::string> as_unprivileged(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  // A change of user forgets that the process ends with its parent.
  std::vector<std::string> words = {"setpriv",        "--reuid=nobody",   "--regid=nogroup",
                                    "--clear-groups", "--pdeathsig=KILL", "--"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

bool lets_in(const std::string& uri) {
  try {
    postgres::Connection connection({.uri = uri, .connecting = std::chrono::seconds(2)});
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

PostgresServer::PostgresServer(const fs::path& bin, std::string address)
    : address_(std::move(address)),
      folder_(made_folder()),
      install_(folder_ / "site/pgserver/pginstall"),
      port_(free_port()) {
  const fs::path packages = site_packages(bin), site = folder_ / "site";
  // The libraries that the programs need lie beside it, and are found from where the programs lie.
  fs::create_directories(site / "pgserver");
  fs::copy(packages / "pgserver/pginstall", install_, fs::copy_options::recursive);
  fs::copy(packages / "pgserver.libs", site / "pgserver.libs", fs::copy_options::recursive);
  const fs::path data = folder_ / "data";
  fs::create_directory(data);
  if (::geteuid() == 0) run("chown", {"nobody:nogroup", data.string()});
  run((install_ / "bin/initdb").string(),
      {"-D", data.string(), "-U", "hasten", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"});
  std::ofstream(data / "pg_hba.conf") << "host all /^scram_ samenet scram-sha-256\n"
                                         "host all all samenet trust\n";
  start();
}

PostgresServer::~PostgresServer() {
  resume();
  kill();
  remove_shared_memory();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

/// The segment by which a postmaster knows that another's processes still run: one that was killed leaves it,
/// and nobody starts here again. Its number ends the seventh line of postmaster.pid.
void PostgresServer::remove_shared_memory() const noexcept {
  std::ifstream file(folder_ / "data/postmaster.pid");
  std::string line;
  for (int i = 0; i < 7; ++i) std::getline(file, line);
  int key = 0, id = 0;
  if (std::istringstream(line) >> key >> id) ::shmctl(id, IPC_RMID, nullptr);
}

void PostgresServer::run(std::string_view program, std::vector<std::string> arguments) const {
  std::vector<std::string> command = {std::string(program)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (program != "chown") command = as_unprivileged(command);
  Process::Options options;
  options.stderr_to = Process::Stderr::to_stdout;
  Process process(command.front(), {command.begin() + 1, command.end()}, options);
  std::string said;
  while (const auto more = process.read(1 << 16, Process::Clock::time_point::max())) {
    if (more->empty()) break;
    said += *more;
  }
  if (process.wait() != 0) throw std::runtime_error(fmt::format("{}: {}", program, said));
}

std::string PostgresServer::uri(std::string_view user, std::string_view database) const {
  return fmt::format("postgresql://{}@{}:{}/{}", user, address_, port_, database);
}

void PostgresServer::start() {
  if (server_) return server_->start();
  const auto command = as_unprivileged(
      {(install_ / "bin/postgres").string(), "-D", (folder_ / "data").string(), "-p", std::to_string(port_),
       "-c", "listen_addresses=" + address_, "-c", "unix_socket_directories=", "-c",
       // Not in /dev/shm, where it stays when the server is killed.
       "dynamic_shared_memory_type=mmap", "-c", "max_connections=50", "-c", "maintenance_work_mem=256MB"});
  server_.emplace(TestServer::Command{.program = command.front(),
                                      .arguments = {command.begin() + 1, command.end()},
                                      .ready = [uri = uri()] { return lets_in(uri); }});
}

std::vector<pid_t> PostgresServer::processes() const {
  std::vector<pid_t> all = {server_->id()};
  const auto children = children_of(all.front());
  all.insert(all.end(), children.begin(), children.end());
  return all;
}

void PostgresServer::kill() {
  if (!server_ || !server_->running()) return;
  const auto all = processes();
  ::kill(all.front(), SIGSTOP);  // it starts no process while the others are ended
  const auto later = processes();
  server_->kill();
  for (std::size_t i = 1; i < later.size(); ++i) ::kill(later[i], SIGKILL);
  // One that lives still holds the shared memory, and the next postmaster would not start.
  for (std::size_t i = 1; i < later.size(); ++i) {
    while (!is_gone(later[i])) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void PostgresServer::pause() {
  server_->pause();
  paused_ = processes();
  for (const pid_t id : paused_) ::kill(id, SIGSTOP);
}

void PostgresServer::resume() {
  for (const pid_t id : paused_) ::kill(id, SIGCONT);
  paused_.clear();
}

std::shared_ptr<void> PostgresServer::without_vector() {
  const fs::path control = install_ / "share/postgresql/extension/vector.control",
                 hidden = control.string() + "_";
  fs::rename(control, hidden);
  return {nullptr, [control, hidden](void*) { fs::rename(hidden, control); }};
}

std::unique_ptr<PostgresServer> start_postgres(const std::string& address, std::string& why) {
  const auto bin = python_packages(kWheel, why);
  return bin.empty() ? nullptr : std::make_unique<PostgresServer>(bin, address);
}

std::shared_ptr<PostgresServer> shared_postgres(std::string& why) {
  static std::string said;
  static const std::shared_ptr<PostgresServer> server = start_postgres("127.0.0.1", said);
  why = said;
  return server;
}

}  // namespace hasten
