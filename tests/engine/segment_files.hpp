#pragma once

#include <filesystem>

#include "base/files.hpp"
#include "stores/local/local_store.hpp"

namespace hasten {

/// Gives every segment of a closed knowledge base a file of its own, as large ones have: for tests that
/// damage files.
inline void write_images_to_files(const std::filesystem::path& kb) {
  LocalStore store(kb, LocalStore::Access::write, "test");
  auto writing = store.write();
  for (SegmentRow row : writing->segments()) {
    if (!row.in_truth()) continue;
    const auto image = writing->segment_image(row);
    writing->remove_segment(row.id);
    row.file += ".seg";
    File file = create_file(store.segments_folder() / row.file);
    write_all(file, image, row.file);
    writing->add_segment(row);
  }
  writing->commit();
}

}  // namespace hasten
