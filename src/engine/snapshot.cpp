#include "engine/snapshot.hpp"

#include <algorithm>
#include <utility>

#include "hasten/error.hpp"

namespace hasten {

OpenSegment::OpenSegment(SegmentFile opened, std::string_view kind) : file(std::move(opened)) {
  if (kind == kWords) words.emplace(file);
  if (kind == kFlat || kind == kRemote) flat.emplace(file);
  if (kind == kFields || kind == kNodeFields) fields.emplace(file);
}

std::size_t OpenSegment::size() const {
  if (words) return words->nodes();
  return flat ? flat->size() : fields ? fields->size() : 0;
}

NodeNumber OpenSegment::number(std::size_t position) const {
  if (words) return words->node(position);
  return flat ? flat->entry(position).node : fields->key(position);
}

std::size_t OpenSegment::find(NodeNumber number) const {
  if (words) return words->find(number);
  return flat ? flat->find(number) : fields->find(number);
}

std::shared_ptr<const OpenSegment> open_segment(const std::filesystem::path& file, const SegmentRow& row,
                                                std::span<const std::byte> image) {
  SegmentFile opened = row.in_truth() ? SegmentFile(row.file, image, row.kind) : SegmentFile(file, row.kind);
  return std::make_shared<const OpenSegment>(std::move(opened), row.kind);
}

std::shared_ptr<const OpenSegment> open_segment(const SegmentStore::Reading& reading, const SegmentRow& row) {
  if (row.in_truth()) return open_segment({}, row, reading.segment_image(row));
  return open_segment(reading.segment_file(row), row, {});
}

void add_alive(std::vector<VectorEntry>& entries, const SegmentPart& part) {
  const VectorSegment& segment = *part.open->flat;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (!part.deleted().test(i)) entries.push_back(segment.entry(i));
  }
}

std::vector<Bm25Input> word_inputs(std::span<const SegmentPart> parts) {
  std::vector<Bm25Input> inputs;
  for (const auto& part : parts) inputs.push_back({&*part.open->words, part.deleted()});
  return inputs;
}

std::vector<VectorInput> flat_inputs(std::span<const SegmentPart> parts) {
  std::vector<VectorInput> inputs;
  for (const auto& part : parts) inputs.push_back({&*part.open->flat, part.deleted()});
  return inputs;
}

std::vector<FieldsInput> field_inputs(std::span<const SegmentPart> parts) {
  std::vector<FieldsInput> inputs;
  for (const auto& part : parts) inputs.push_back({&*part.open->fields, part.deleted()});
  return inputs;
}

std::vector<const SegmentPart*> GroupSnapshot::vectors() const {
  std::vector<const SegmentPart*> parts;
  for (const auto* of : {&remote, &flat}) {
    for (const SegmentPart& part : *of) parts.push_back(&part);
  }
  return parts;
}

std::vector<VectorInput> GroupSnapshot::vector_inputs() const {
  std::vector<VectorInput> inputs;
  for (const SegmentPart* const part : vectors()) inputs.push_back({&*part->open->flat, part->deleted()});
  return inputs;
}

const std::string& GroupSnapshot::fingerprint() const {
  return flat.empty() ? remote.front().row.signature : flat.front().row.signature;
}

std::uint64_t Snapshot::documents_in_columns() const {
  std::uint64_t documents = 0;
  for (const SegmentPart& part : fields) documents += part.row.nodes - part.row.deleted_nodes;
  return documents;
}

std::vector<const std::vector<SegmentPart>*> Snapshot::parts() const {
  std::vector<const std::vector<SegmentPart>*> all{&fields};
  for (const GroupSnapshot& group : groups) {
    for (const auto* parts : {&group.words, &group.flat, &group.remote, &group.fields}) all.push_back(parts);
  }
  return all;
}

const GroupSnapshot* Snapshot::find(std::string_view name) const {
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const GroupSnapshot& group) { return group.row.name == name; });
  return found == groups.end() ? nullptr : &*found;
}

bool Snapshot::has_remote() const {
  return std::ranges::any_of(groups, [](const GroupSnapshot& group) { return !group.remote.empty(); });
}

void Snapshot::check_files() const {
  for (const auto* same : parts()) {
    for (const auto& part : *same) {
      if (part.open->file.cut_short()) {
        throw Error(Code::damaged,
                    "segment " + part.row.file + " was cut short; `hasten verify --repair` rebuilds it");
      }
    }
  }
}

std::shared_ptr<const Snapshot> Snapshots::find(std::uint64_t commit) {
  std::shared_ptr<const Snapshot> before;  // may be the last to hold its files: they are closed unlocked
  const std::lock_guard lock(mutex_);
  if (coming_ && coming_->commit == commit) before = std::exchange(newest_, std::move(coming_));
  return newest_ && newest_->commit == commit ? newest_ : nullptr;
}

void Snapshots::keep(std::shared_ptr<const Snapshot>& place, std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  place.swap(snapshot);  // what was there dies with the argument, unlocked
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
}

std::shared_ptr<const Snapshot> Snapshots::at(const SegmentStore::Reading& reading) {
  const std::uint64_t commit = reading.seen();
  if (auto snapshot = find(commit)) return snapshot;
  const std::lock_guard lock(making_);
  if (auto snapshot = find(commit)) return snapshot;
  auto snapshot = make(reading, commit);
  keep(newest_, snapshot);
  return snapshot;
}

void Snapshots::commit(SegmentStore::Writing& writing) {
  const std::uint64_t number = writing.commit_number();
  keep(coming_, make(writing, number));
  try {
    writing.commit();
  } catch (...) {
    keep(coming_, nullptr);  // another commit will have its number
    throw;
  }
  find(number);
}

std::shared_ptr<const Snapshot> Snapshots::make(const SegmentStore::Reading& reading, std::uint64_t commit) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->commit = commit;
  for (auto& row : reading.groups()) snapshot->groups.push_back({std::move(row), {}, {}, {}, {}, {}});
  for (auto& row : reading.segments()) {
    const auto group =
        std::find_if(snapshot->groups.begin(), snapshot->groups.end(),
                     [&](const GroupSnapshot& candidate) { return candidate.row.id == row.group; });
    if (group == snapshot->groups.end()) continue;
    auto* const parts = row.kind == kWords        ? &group->words
                        : row.kind == kFlat       ? &group->flat
                        : row.kind == kRemote     ? &group->remote
                        : row.kind == kNodeFields ? &group->fields
                        : row.kind == kFields     ? &snapshot->fields
                                                  : nullptr;
    if (parts == nullptr) continue;  // of a kind that a later program writes
    auto file = open(reading, row);
    if (row.kind == kWords) {
      group->statistics.nodes += row.nodes - row.deleted_nodes;
      group->statistics.total_length += row.total_length - row.deleted_length;
    }
    parts->push_back({std::move(file), std::move(row)});
  }
  return snapshot;
}

void Snapshots::forget() {
  std::shared_ptr<const Snapshot> before;
  const std::lock_guard lock(mutex_);
  before = std::move(newest_);
  files_.clear();
}

std::shared_ptr<const OpenSegment> Snapshots::open(const SegmentStore::Reading& reading,
                                                   const SegmentRow& row) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = files_.find(row.file);
    if (known != files_.end()) {
      if (auto file = known->second.lock()) return file;
    }
  }
  try {
    auto file = open_segment(reading, row);
    const std::lock_guard lock(mutex_);
    files_[row.file] = file;
    return file;
  } catch (const Error& error) {
    if (error.code() != Code::not_found) throw;
    throw Error(Code::damaged, "segment " + row.file + " is missing; `hasten verify --repair` rebuilds it");
  }
}

}  // namespace hasten
