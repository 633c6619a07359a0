// Our columns of fields as one contender of bench/fields: takes commands on stdin, a line each, and answers
// each with one line of JSON.
//   build JSONL SEGMENT     a document's fields a line
//   open SEGMENT            maps it; later filters ask it
//   first EXPRESSION        opened anew and asked once: nothing of it was touched before
//   warm EXPRESSION         the median of many
//   rows EXPRESSION         the slow twin, over rows that are in memory
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/metadata.hpp"
#include "hasten/filter.hpp"
#include "indexes/fields.hpp"
#include "indexes/fields_filter.hpp"
#include "segments/segment_file.hpp"

namespace {

using namespace hasten;
using Clock = std::chrono::steady_clock;

double micros_of(const std::function<void()>& work) {
  const auto began = Clock::now();
  work();
  return std::chrono::duration<double, std::micro>(Clock::now() - began).count();
}

class Contender {
 public:
  std::string build(const std::string& jsonl, const std::string& file) {
    std::ifstream in(jsonl);
    for (std::string line; std::getline(in, line);) {
      Metadata fields;
      const auto object = nlohmann::json::parse(line);
      for (const auto& [name, json] : object.items()) {
        if (auto value = value_from_json(json)) fields.emplace(name, std::move(*value));
      }
      rows_.push_back(std::move(fields));
    }
    std::uint64_t bytes = 0;
    const double us = micros_of([&] {
      FieldsBuilder builder;
      for (std::uint32_t i = 0; i < rows_.size(); ++i) builder.add(i, i, rows_[i]);
      SegmentFileWriter writer(file, "fields");
      builder.write(writer);
      bytes = writer.finish();
    });
    return fmt::format("{{\"us\":{:.0f},\"bytes\":{}}}", us, bytes);
  }

  std::string open(const std::string& file) {
    file_name_ = file;
    const double us = micros_of([&] { reopen(); });
    return fmt::format("{{\"us\":{:.1f}}}", us);
  }

  std::string first(const std::string& expression) {
    const Filter filter = Filter::parse(expression);
    reopen();
    std::size_t passed = 0;
    const double us = micros_of([&] { passed = ask(filter); });
    return fmt::format("{{\"us\":{:.2f},\"passed\":{}}}", us, passed);
  }

  std::string warm(const std::string& expression) {
    constexpr std::size_t kTimes = 51;
    const Filter filter = Filter::parse(expression);
    std::vector<double> us;
    std::size_t passed = 0;
    for (std::size_t i = 0; i < kTimes; ++i) us.push_back(micros_of([&] { passed = ask(filter); }));
    std::ranges::nth_element(us, us.begin() + kTimes / 2);
    return fmt::format("{{\"us\":{:.2f},\"passed\":{}}}", us[kTimes / 2], passed);
  }

  std::string rows(const std::string& expression) const {
    const Filter filter = Filter::parse(expression);
    std::size_t passed = 0;
    const double us = micros_of([&] {
      passed = static_cast<std::size_t>(
          std::ranges::count_if(rows_, [&](const Metadata& fields) { return filter.matches(fields); }));
    });
    return fmt::format("{{\"us\":{:.2f},\"passed\":{}}}", us, passed);
  }

 private:
  void reopen() {
    segment_.reset();
    file_.emplace(file_name_, "fields");
    segment_.emplace(*file_);
  }

  std::size_t ask(const Filter& filter) const {
    const FieldsInput input{&*segment_, {}};
    return match_documents({&input, 1}, *filter.expression()).documents.count();
  }

  std::vector<Metadata> rows_;
  std::string file_name_;
  std::optional<SegmentFile> file_;
  std::optional<FieldsSegment> segment_;
};

}  // namespace

int main() {
  Contender contender;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t blank = line.find(' ');
    const std::string verb = line.substr(0, blank),
                      rest = blank == std::string::npos ? "" : line.substr(blank + 1);
    try {
      std::string answer = "{\"error\":\"no such command\"}";
      if (verb == "build")
        answer = contender.build(rest.substr(0, rest.find(' ')), rest.substr(rest.find(' ') + 1));
      if (verb == "open") answer = contender.open(rest);
      if (verb == "first") answer = contender.first(rest);
      if (verb == "warm") answer = contender.warm(rest);
      if (verb == "rows") answer = contender.rows(rest);
      std::cout << answer << std::endl;
    } catch (const std::exception& error) {
      std::cout << nlohmann::json{{"error", error.what()}}.dump() << std::endl;
    }
  }
}
