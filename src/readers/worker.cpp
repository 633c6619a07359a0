// The worker process: reads one file after the other, each within its limits.
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>

#include "base/files.hpp"
#include "core/metadata.hpp"
#include "hasten/error.hpp"
#include "readers/message.hpp"
#include "readers/read_bytes.hpp"

namespace hasten {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kBoundMemory = false;  // sanitizers map terabytes
#else
constexpr bool kBoundMemory = true;
#endif

struct Memory {
  std::uint64_t mapped, resident;  ///< bytes
};

Memory memory() {
  std::uint64_t mapped = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> mapped >> resident;
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {mapped * page_bytes, resident * page_bytes};
}

std::uint64_t memory_bytes() { return memory().resident; }

/// Bounds the address space to `bytes` more than is mapped now.
void bound_memory(std::uint64_t bytes) {
  if (!kBoundMemory) return;
  rlimit limits{};
  ::getrlimit(RLIMIT_AS, &limits);
  limits.rlim_cur = std::min<rlim_t>(memory().mapped + bytes, limits.rlim_max);
  ::setrlimit(RLIMIT_AS, &limits);
}

/// Ends this process after so many seconds, should its parent be gone by then; 0: never.
void bound_time(double seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(std::min(std::ceil(seconds), 1e6));
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

bool read_all(int descriptor, std::span<char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::read(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

void reply_with(const File& output, const std::array<std::string_view, kReplyFields>& fields) {
  write_message(fields, [&](std::string_view bytes) {
    write_all(output, std::as_bytes(std::span(bytes)), "the pipe to the engine");
  });
}

void reply_error(const File& output, Code code, std::string_view message) {
  reply_with(output, {to_string(code), message, "", "", "", as_field(memory_bytes())});
}

const Format& format_named(std::string_view name) {
  for (const Format& format : formats()) {
    if (format.name == name) return format;
  }
  throw Error(Code::unsupported, "the worker has no reader for " + std::string(name));
}

void answer(const Message& request, const ReadLimits& limits, const File& output) try {
  const Extracted extracted =
      read_bytes(format_named(request[kFormat]), request[kBytes], request[kName], limits);
  const std::string_view pages(reinterpret_cast<const char*>(extracted.pages.data()),
                               extracted.pages.size() * sizeof(std::uint64_t));
  reply_with(output, {"", extracted.text, encode_metadata(extracted.metadata), extracted.format, pages,
                      as_field(memory_bytes())});
} catch (const Error& error) {
  reply_error(output, error.code(), error.what());
} catch (const std::bad_alloc&) {
  reply_error(output, Code::too_large, "no memory for the text");
}

/// The pipe to the parent, out of reach of libraries that print: they get /dev/null.
File take_output() {
  File output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const File nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  ::dup2(nowhere.get(), STDOUT_FILENO);
  return output;
}

void prepare_process() {
  ::signal(SIGINT, SIG_IGN);  // a key press is for the parent to handle: it closes our input
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int serve_reader() try {
  prepare_process();
  const File output = take_output();
  const auto read_input = [](std::span<char> bytes) { return read_all(STDIN_FILENO, bytes); };
  while (true) {
    const Message request = read_message(kRequestFields, UINT64_MAX, read_input);
    if (request.empty()) return 0;
    ReadLimits limits;
    std::memcpy(&limits, request[kLimits].data(), std::min(sizeof limits, request[kLimits].size()));
    bound_memory(limits.memory_bytes_max);
    bound_time(limits.seconds_max + 1);
    answer(request, limits, output);
    bound_time(0);
    ::malloc_trim(0);
  }
} catch (const std::exception&) {
  return 1;  // the pipe is broken: the parent is gone
}

}  // namespace hasten
