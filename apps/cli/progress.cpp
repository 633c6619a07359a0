#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "output.hpp"
#include "terminal.hpp"

namespace hasten::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};  // often enough to look alive
constexpr std::chrono::seconds kPlainLine{10};     // seldom enough not to fill a log
constexpr double kSecondsBeforeEstimate = 0.5;     // earlier, the rate says nothing

std::string amount(std::uint64_t value, std::string_view unit) {
  return unit == "bytes" ? human_bytes(value) : std::to_string(value);
}

}  // namespace

std::string progress_line(const Progress& progress, double seconds) {
  std::string line(progress.stage);
  if (progress.done > 0 || progress.total > 0) {
    line += " " + amount(progress.done, progress.unit);
    if (progress.total > 0) line += "/" + amount(progress.total, progress.unit);
    if (progress.unit != "bytes") line += fmt::format(" {}", progress.unit);
  }
  if (progress.done > 0 && seconds >= kSecondsBeforeEstimate) {
    const double rate = static_cast<double>(progress.done) / seconds;
    line += fmt::format(", {}/s", rate < 10 && progress.unit != "bytes"
                                      ? fmt::format("{:.1f}", rate)
                                      : amount(static_cast<std::uint64_t>(rate), progress.unit));
    if (progress.total > progress.done)
      line +=
          fmt::format(", {} left", human_seconds(static_cast<double>(progress.total - progress.done) / rate));
  }
  if (!progress.message.empty()) line += fmt::format(": {}", progress.message);
  return line;
}

Meter::Meter(bool quiet) : quiet_(quiet), columns_(terminal_columns(STDERR_FILENO)) {}

void Meter::show(const Progress& progress) {
  if (quiet_) return;
  if (progress.stage == "notice") {
    clear();
    print_note(progress.message);
    return;
  }
  const auto now = Clock::now();
  if (progress.stage != stage_) {
    stage_ = progress.stage;
    stage_began_ = now;
    last_shown_ = columns_ > 0 ? Clock::time_point{} : now;
  }
  if (now - last_shown_ < (columns_ > 0 ? Clock::duration(kRedraw) : Clock::duration(kPlainLine))) return;
  last_shown_ = now;
  const std::string line = progress_line(progress, std::chrono::duration<double>(now - stage_began_).count());
  if (columns_ == 0) {
    fmt::print(stderr, "{}\n", line);
  } else {
    fmt::print(stderr, "\r{}\x1b[K", snippet(line, static_cast<std::size_t>(columns_ - 1)));
    std::fflush(stderr);
    drawn_ = true;
  }
}

void Meter::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace hasten::cli
