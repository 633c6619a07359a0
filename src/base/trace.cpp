#include "hasten/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hasten {
namespace {

double ms(Trace::Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

}  // namespace

Trace::Span::Span(Trace* trace, std::string_view name) : trace_(trace) {
  if (trace_ == nullptr) return;
  began_ = Clock::now();
  const std::lock_guard lock(trace_->mutex_);
  at_ = trace_->stages_.size();
  trace_->stages_.push_back({std::string(name), ms(began_ - trace_->origin_), 0, trace_->depth_++, {}});
  trace_->open_.push_back(true);
}

Trace::Span::Span(Span&& other) noexcept
    : trace_(std::exchange(other.trace_, nullptr)), at_(other.at_), began_(other.began_) {}

Trace::Span& Trace::Span::operator=(Span&& other) noexcept {
  end();
  trace_ = std::exchange(other.trace_, nullptr);
  at_ = other.at_;
  began_ = other.began_;
  return *this;
}

void Trace::Span::note(std::string_view key, std::string_view value) {
  if (trace_ == nullptr) return;
  const std::lock_guard lock(trace_->mutex_);
  trace_->stages_[at_].notes.emplace_back(key, value);
}

void Trace::Span::note(std::string_view key, std::int64_t value) {
  if (trace_ != nullptr) note(key, std::to_string(value));
}

void Trace::Span::end() noexcept {
  if (trace_ == nullptr) return;
  const auto took = Clock::now() - began_;
  const std::lock_guard lock(trace_->mutex_);
  trace_->stages_[at_].duration_ms = ms(took);
  trace_->open_[at_] = false;
  --trace_->depth_;
  trace_ = nullptr;
}

void Trace::add(std::string_view name, Clock::time_point began, Clock::duration took, int depth,
                std::vector<std::pair<std::string, std::string>> notes) {
  const std::lock_guard lock(mutex_);
  stages_.push_back({std::string(name), ms(began - origin_), ms(took), depth, std::move(notes)});
  open_.push_back(false);
}

std::vector<Stage> Trace::stages() const {
  std::vector<Stage> copy;
  {
    const std::lock_guard lock(mutex_);
    copy = stages_;
    for (std::size_t i = 0; i < copy.size(); ++i) {
      if (open_[i]) copy[i].duration_ms = ms(Clock::now() - origin_) - copy[i].start_ms;
    }
  }
  std::stable_sort(copy.begin(), copy.end(),
                   [](const Stage& a, const Stage& b) { return a.start_ms < b.start_ms; });
  return copy;
}

double Trace::elapsed_ms() const { return ms(Clock::now() - origin_); }

std::string waterfall(const std::vector<Stage>& stages, int width) {
  double end = 0;
  std::size_t name_width = 5;
  for (const Stage& stage : stages) {
    end = std::max(end, stage.start_ms + stage.duration_ms);
    name_width = std::max(name_width, stage.name.size() + 2 * static_cast<std::size_t>(stage.depth));
  }
  const int bar_width = std::max(10, width - static_cast<int>(name_width) - 26);
  std::string text = fmt::format("{:<{}}  {:>9} {:>9}\n", "stage", name_width, "start ms", "took ms");
  for (const Stage& stage : stages) {
    const auto column = [&](double at) {
      return end > 0 ? static_cast<int>(std::floor(at / end * bar_width)) : 0;
    };
    const int from = std::min(column(stage.start_ms), bar_width - 1);
    const int to = std::clamp(column(stage.start_ms + stage.duration_ms), from + 1, bar_width);
    std::string bar(static_cast<std::size_t>(from), ' ');
    for (int i = from; i < to; ++i) bar += "█";
    bar.append(static_cast<std::size_t>(bar_width - to), ' ');
    std::string notes;
    for (const auto& [key, value] : stage.notes) {
      const bool one_line = value.find('\n') == std::string::npos;
      notes += fmt::format(" {}={}", key, one_line ? value : "...");
    }
    text += fmt::format("{:<{}}  {:>9.2f} {:>9.2f} |{}|{}\n",
                        std::string(2 * static_cast<std::size_t>(stage.depth), ' ') + stage.name, name_width,
                        stage.start_ms, stage.duration_ms, bar, notes);
  }
  return text;
}

}  // namespace hasten
