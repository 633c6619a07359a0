#include "stores/milvus/milvus_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "stores/milvus/milvus_fields.hpp"

namespace hasten {
namespace {

constexpr std::size_t kRowsMax = 10'000;   // of a request
constexpr std::size_t kNumbersBytes = 32;  // of node and document in a message, at most

milvus_schema::FieldSchema* add_field(milvus_schema::CollectionSchema& schema, const char* name,
                                      milvus_schema::DataType type) {
  milvus_schema::FieldSchema* const field = schema.add_fields();
  field->set_name(name);
  field->set_data_type(type);
  return field;
}

milvus_schema::FieldData* add_column(milvus_api::UpsertRequest& request, const char* name,
                                     milvus_schema::DataType type) {
  milvus_schema::FieldData* const column = request.add_fields_data();
  column->set_field_name(name);
  column->set_type(type);
  return column;
}

/// Indexes of the records, in order, without those whose node comes again.
std::vector<std::size_t> last_of_each(std::span<const VectorRecord> records) {
  std::unordered_set<NodeNumber> seen;
  std::vector<std::size_t> order;
  for (std::size_t i = records.size(); i-- > 0;) {
    if (seen.insert(records[i].node).second) order.push_back(i);
  }
  std::ranges::reverse(order);
  return order;
}

}  // namespace

milvus_schema::CollectionSchema milvus_collection_schema(const VectorCollection& collection) {
  milvus_schema::CollectionSchema schema;
  schema.set_name(collection.name);
  add_field(schema, kMilvusNode, milvus_schema::Int64)->set_is_primary_key(true);
  add_field(schema, kMilvusDocument, milvus_schema::Int64);
  add_field(schema, kMilvusFields, milvus_schema::JSON);
  auto* const vector = add_field(schema, kMilvusVector, milvus_schema::FloatVector);
  milvus_parameter(vector->mutable_type_params(), "dim", std::to_string(collection.dim));
  return schema;
}

MilvusBatches::MilvusBatches(const VectorCollection& collection, std::span<const VectorRecord> records,
                             std::size_t bytes)
    : collection_(collection), records_(records), bytes_(bytes), order_(last_of_each(records)) {
  for (const std::size_t i : order_) {
    fields_.push_back(milvus_fields(records_[i].fields != nullptr ? *records_[i].fields : Metadata()));
  }
}

bool MilvusBatches::next(milvus_api::UpsertRequest& request) {
  if (at_ == order_.size()) return false;
  request.Clear();
  request.set_collection_name(collection_.name);
  auto* const nodes = add_column(request, kMilvusNode, milvus_schema::Int64)->mutable_scalars();
  auto* const documents = add_column(request, kMilvusDocument, milvus_schema::Int64)->mutable_scalars();
  auto* const fields = add_column(request, kMilvusFields, milvus_schema::JSON)->mutable_scalars();
  auto* const vectors = add_column(request, kMilvusVector, milvus_schema::FloatVector)->mutable_vectors();
  vectors->set_dim(static_cast<std::int64_t>(collection_.dim));
  std::size_t bytes = 0, rows = 0;
  for (; at_ < order_.size() && rows < kRowsMax; ++at_, ++rows) {
    const VectorRecord& record = records_[order_[at_]];
    bytes += record.vector.size_bytes() + fields_[at_].size() + kNumbersBytes;
    if (rows > 0 && bytes > bytes_) break;
    nodes->mutable_long_data()->add_data(static_cast<std::int64_t>(record.node));
    documents->mutable_long_data()->add_data(record.document);
    fields->mutable_json_data()->add_data(std::move(fields_[at_]));
    vectors->mutable_float_vector()->mutable_data()->Add(record.vector.begin(), record.vector.end());
  }
  request.set_num_rows(static_cast<std::uint32_t>(rows));
  return true;
}

std::string milvus_in(std::string_view field, std::span<const NodeNumber> numbers) {
  return fmt::format("{} in [{}]", field, fmt::join(numbers, ","));
}

std::string milvus_in(std::string_view field, std::span<const std::uint32_t> numbers) {
  return fmt::format("{} in [{}]", field, fmt::join(numbers, ","));
}

std::string milvus_placeholders(std::span<const float> vector) {
  milvus_common::PlaceholderGroup group;
  milvus_common::PlaceholderValue* const one = group.add_placeholders();
  one->set_tag("$0");
  one->set_type(milvus_common::FloatVector);
  one->add_values(vector.data(), vector.size_bytes());  // little-endian, as all that Milvus runs on
  return group.SerializeAsString();
}

void milvus_parameter(google::protobuf::RepeatedPtrField<milvus_common::KeyValuePair>* pairs, std::string key,
                      std::string value) {
  milvus_common::KeyValuePair* const pair = pairs->Add();
  pair->set_key(std::move(key));
  pair->set_value(std::move(value));
}

const milvus_schema::FieldData* milvus_column(
    const google::protobuf::RepeatedPtrField<milvus_schema::FieldData>& columns, std::string_view name) {
  const auto found =
      std::ranges::find_if(columns, [&](const auto& column) { return column.field_name() == name; });
  return found == columns.end() ? nullptr : &*found;
}

}  // namespace hasten
