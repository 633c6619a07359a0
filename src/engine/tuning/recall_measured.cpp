#include "engine/tuning/recall_measured.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using Json = nlohmann::json;

Json to_json(const std::vector<RecallPoint>& curve) {
  Json points = Json::array();
  for (const RecallPoint& point : curve) points.push_back({point.pool, point.recall});
  return points;
}

std::vector<RecallPoint> curve_from(const Json& points) {
  std::vector<RecallPoint> curve;
  for (const Json& point : points)
    curve.push_back({point.at(0).get<std::size_t>(), point.at(1).get<double>()});
  return curve;
}

RecallMeasured measured_from(const std::string& text) try {
  const Json json = Json::parse(text);
  RecallMeasured measured;
  measured.files = json.value("graphs", "");
  measured.questions = json.at("questions").get<std::size_t>();
  for (const Json& curves : json.at("curves")) {
    measured.curves.push_back(
        {curves.at("k").get<std::size_t>(), curve_from(curves.at("all")), curve_from(curves.at("filtered"))});
  }
  return measured;
} catch (const Json::exception& error) {
  throw Error(Code::damaged, fmt::format("what was measured of recall cannot be read: {}", error.what()));
}

}  // namespace

std::optional<std::size_t> RecallMeasured::pool(std::size_t k, double recall, bool filtered) const {
  for (const Curves& c : curves) {
    if (k > c.k && &c != &curves.back()) continue;
    const auto found = pool_for(filtered ? c.filtered : c.all, recall);
    if (!found) return std::nullopt;
    return k <= c.k ? *found : *found * k / c.k;  // deeper than was measured: in proportion
  }
  return std::nullopt;
}

std::optional<double> RecallMeasured::recall(std::size_t k, std::size_t pool, bool filtered) const {
  for (const Curves& c : curves) {
    if (k > c.k && &c != &curves.back()) continue;
    const std::size_t measured = k <= c.k ? pool : pool * c.k / k;
    std::optional<double> recall;
    for (const RecallPoint& point : filtered ? c.filtered : c.all) {
      if (point.pool <= measured) recall = point.recall;
    }
    return recall;
  }
  return std::nullopt;
}

std::string recall_setting(std::uint32_t group) { return fmt::format("recall.{}", group); }

std::string store_recall_setting(std::uint32_t group) { return fmt::format("store_recall.{}", group); }

std::string to_text(const RecallMeasured& measured) {
  Json json = {{"graphs", measured.files}, {"questions", measured.questions}, {"curves", Json::array()}};
  for (const RecallMeasured::Curves& c : measured.curves) {
    json["curves"].push_back({{"k", c.k}, {"all", to_json(c.all)}, {"filtered", to_json(c.filtered)}});
  }
  return json.dump();
}

std::string indexed_files(const GroupSnapshot& group) {
  std::string files;
  for (const SegmentPart& part : group.flat) {
    if (!part.open->flat->has_index()) continue;
    files += part.row.file;
    files += '\n';
  }
  return files;
}

std::shared_ptr<const RecallMeasured> RecallSettings::find(const SegmentStore::Reading& reading,
                                                           const GroupSnapshot& group) {
  return find(reading, recall_setting(group.row.id), indexed_files(group));
}

std::shared_ptr<const RecallMeasured> RecallSettings::find_store(const SegmentStore::Reading& reading,
                                                                 const GroupSnapshot& group,
                                                                 std::string_view measured_as) {
  return find(reading, store_recall_setting(group.row.id), measured_as);
}

std::shared_ptr<const RecallMeasured> RecallSettings::find(const SegmentStore::Reading& reading,
                                                           const std::string& setting,
                                                           std::string_view files) {
  auto text = reading.setting(setting);
  if (!text) return nullptr;
  const std::lock_guard lock(mutex_);
  Read& read = read_[setting];
  if (!read.measured || read.text != *text) {
    read.measured = std::make_shared<const RecallMeasured>(measured_from(*text));
    read.text = std::move(*text);
  }
  return read.measured->files == files ? read.measured : nullptr;
}

}  // namespace hasten
