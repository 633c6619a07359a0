#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/vector_store.hpp"
#include "stores/milvus/milvus_client.hpp"

namespace hasten {

/// The fields of a collection.
constexpr const char* kMilvusNode = "node";
constexpr const char* kMilvusDocument = "document";
constexpr const char* kMilvusFields = "fields";
constexpr const char* kMilvusVector = "vector";

milvus_schema::CollectionSchema milvus_collection_schema(const VectorCollection& collection);

/// Requests that add records, in their order, each of about `bytes` at most and rows_max rows. Of a node that
/// comes twice the last is taken: Milvus does not say which it would keep.
/// @throws Error(refused) fields that are too large: nothing was sent then.
class MilvusBatches {
 public:
  MilvusBatches(const VectorCollection& collection, std::span<const VectorRecord> records, std::size_t bytes);
  /// False at the end.
  bool next(milvus_api::UpsertRequest& request);

 private:
  const VectorCollection& collection_;
  std::span<const VectorRecord> records_;
  std::size_t bytes_;
  std::vector<std::size_t> order_;  // of records, without those that come again
  std::vector<std::string> fields_;
  std::size_t at_ = 0;
};

/// "node in [1,2,3]"
std::string milvus_in(std::string_view field, std::span<const NodeNumber> numbers);
std::string milvus_in(std::string_view field, std::span<const std::uint32_t> numbers);

/// One vector as a search takes it: serialised, in a serialised group.
std::string milvus_placeholders(std::span<const float> vector);

void milvus_parameter(google::protobuf::RepeatedPtrField<milvus_common::KeyValuePair>* pairs, std::string key,
                      std::string value);

/// A column of what was found; null where it is not there.
const milvus_schema::FieldData* milvus_column(
    const google::protobuf::RepeatedPtrField<milvus_schema::FieldData>& columns, std::string_view name);

}  // namespace hasten
