#pragma once

#include <memory>

#include "core/vector_store.hpp"
#include "stores/milvus/milvus_options.hpp"

namespace hasten {

/// Vectors in a Milvus server (2.3 or later) or Milvus Lite's, by gRPC. A collection holds a node's number as
/// its key, its document, its fields (see milvus_fields.hpp), and its vector. Connects with the first call.
///
/// Where consistency_level is not Strong, a search may miss what was just written. Of equal scores the server
/// chooses which to give where not all are among the best k. At most 16,384 are found at a time.
/// What was just written lies in segments that grow, which Milvus searches by an index of its own of little
/// effort, whatever ours says: settle() has them end.
/// @throws Error(not_found|io) a file of a certificate cannot be read.
std::unique_ptr<VectorStore> open_milvus(const MilvusOptions& options);

}  // namespace hasten
