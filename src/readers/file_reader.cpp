#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/resources.hpp"
#include "core/metadata.hpp"
#include "hasten/error.hpp"
#include "readers/message.hpp"
#include "readers/read_bytes.hpp"
#include "readers/readers.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Clock = Process::Clock;

std::string known_formats() {
  std::vector<std::string_view> names;
  for (const Format& format : formats()) names.push_back(format.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

const Format& format_or_throw(const fs::path& name, std::string_view head) {
  if (const Format* format = format_of(name, head)) return *format;
  const std::string suffix = name.extension().string();
  throw Error(Code::unsupported,
              fmt::format("no reader for '{}'; known: {}", suffix.empty() ? name.filename().string() : suffix,
                          known_formats()));
}

std::string_view head_of(std::string_view bytes) {
  constexpr std::size_t kHeadBytes = 4096;
  return bytes.substr(0, kHeadBytes);
}

std::unique_ptr<Process> start_worker() {
  Process::Options options;
  // Workers go from thread to thread. They end when their input does, and when a file takes too
  // long.
  options.ends_with_thread = false;
  return std::make_unique<Process>(resource("hasten-reader"), std::vector<std::string>{}, options);
}

/// One file in one worker, until its deadline.
class Conversation {
 public:
  Conversation(Process& worker, const ReadLimits& limits)
      : worker_(worker),
        limits_(limits),
        deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(std::min(limits.seconds_max, 1e6)))) {}

  /// @throws Error(timeout|corrupt|too_large) when the worker hangs or dies: it is of no more use.
  Message ask(const Format& format, std::string_view name, std::string_view bytes) {
    Message reply;
    try {
      const std::array<std::string_view, kRequestFields> request{format.name, name, as_field(limits_), bytes};
      write_message(request, [&](std::string_view part) { worker_.write(part, deadline_); });
      reply = read_reply();
    } catch (const Error& error) {
      if (error.code() == Code::timeout) fail_late();
      if (error.code() == Code::too_large) throw;
    }
    if (reply.empty()) fail_crashed(format);
    return reply;
  }

 private:
  Message read_reply() {
    constexpr std::uint64_t kBesideTextMax = std::uint64_t{64} << 20;  // metadata and pages
    return read_message(kReplyFields, limits_.text_bytes_max + kBesideTextMax,
                        [&](std::span<char> bytes) { return fill(bytes); });
  }

  bool fill(std::span<char> bytes) {
    while (!bytes.empty()) {
      const auto part = worker_.read(std::min<std::size_t>(bytes.size(), 1 << 20), deadline_);
      if (!part) fail_late();
      if (part->empty()) return false;
      std::memcpy(bytes.data(), part->data(), part->size());
      bytes = bytes.subspan(part->size());
    }
    return true;
  }

  [[noreturn]] void fail_late() const {
    throw Error(Code::timeout, fmt::format("reading took longer than {} s", limits_.seconds_max));
  }

  [[noreturn]] void fail_crashed(const Format& format) {
    worker_.close_input();
    const int code = worker_.wait();
    const int signal = code > 128 ? code - 128 : 0;
    if (signal == SIGALRM) fail_late();
    if (signal == SIGKILL) {
      throw Error(Code::too_large, "the system ended the reader: it was out of memory");
    }
    throw Error(Code::corrupt, signal == 0
                                   ? fmt::format("the {} reader ended with exit code {}", format.name, code)
                                   : fmt::format("the {} reader crashed on it (signal {}, {})", format.name,
                                                 signal, ::strsignal(signal)));
  }

  Process& worker_;
  const ReadLimits& limits_;
  Clock::time_point deadline_;
};

template <class T>
std::vector<T> values_of(std::string_view field) {
  std::vector<T> values(field.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), field.data(), values.size() * sizeof(T));
  return values;
}

Extracted to_extracted(Message reply) {
  if (!reply[kCode].empty()) throw Error(code_from_string(reply[kCode]), reply[kText]);
  return {std::move(reply[kText]), decode_metadata(reply[kMetadata]), std::move(reply[kReplyFormat]),
          values_of<std::uint64_t>(reply[kPages])};
}

/// One large file does not make a large process for ever: its worker is not kept.
bool is_large(const Message& reply) {
  constexpr std::uint64_t kKeptBytesMax = std::uint64_t{256} << 20;
  const auto memory = values_of<std::uint64_t>(reply[kMemory]);
  return memory.empty() || memory.front() > kKeptBytesMax;
}

}  // namespace

/// The workers that wait for a file. One that is reading belongs to the thread that calls.
struct FileReader::Workers {
  std::mutex mutex;
  std::vector<std::unique_ptr<Process>> idle;

  std::unique_ptr<Process> take() {
    {
      const std::lock_guard lock(mutex);
      while (!idle.empty()) {
        std::unique_ptr<Process> worker = std::move(idle.back());
        idle.pop_back();
        if (worker->running()) return worker;
      }
    }
    return start_worker();
  }

  void give_back(std::unique_ptr<Process> worker) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(worker));
  }
};

FileReader::FileReader(ReadLimits limits) : limits_(limits), workers_(std::make_unique<Workers>()) {}

FileReader::~FileReader() = default;

Extracted FileReader::read(const fs::path& file) const {
  // What has no reader is not worth reading; a name that says nothing is judged by its content.
  std::error_code ignored;
  if (file.has_extension() && fs::is_regular_file(file, ignored)) format_or_throw(file, {});
  return read(file, read_file(file, limits_.file_bytes_max));
}

Extracted FileReader::read(const fs::path& name, std::string_view bytes) const {
  const Format& format = format_or_throw(name, head_of(bytes));
  const std::string file_name = name.filename().string();
  try {
    if (!format.isolated) return read_bytes(format, bytes, file_name, limits_);
    std::unique_ptr<Process> worker = workers_->take();
    Message reply = Conversation(*worker, limits_).ask(format, file_name, bytes);
    if (!is_large(reply)) workers_->give_back(std::move(worker));
    return to_extracted(std::move(reply));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", name.string(), error.what()));
  }
}

}  // namespace hasten
