#include "stores/postgres/rows.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>
#include <span>
#include <string_view>
#include <vector>

#include "hasten/error.hpp"
#include "stores/postgres/binary.hpp"

namespace hasten::postgres {
namespace {

struct Cell {
  std::uint32_t type;
  std::string_view bytes;
};

[[noreturn]] void refuse(const PGresult& result, int column, std::string_view wanted) {
  const char* name = PQfname(&result, column);
  throw Error(Code::internal,
              fmt::format("postgres: column {} ('{}') is of type {} or null, not {}", column,
                          name != nullptr ? name : "missing", PQftype(&result, column), wanted));
}

Cell cell(const PGresult& result, int row, int column, std::string_view wanted) {
  const bool there = column >= 0 && column < PQnfields(&result) && PQfformat(&result, column) == 1;
  if (!there || PQgetisnull(&result, row, column) != 0) refuse(result, column, wanted);
  return {PQftype(&result, column),
          {PQgetvalue(&result, row, column), static_cast<std::size_t>(PQgetlength(&result, row, column))}};
}

bool is_text(std::uint32_t type) {
  return type == oid::text || type == oid::varchar || type == oid::bpchar || type == oid::name ||
         type == oid::json || type == oid::jsonb || type == oid::unknown || type == oid::character;
}

std::vector<float> floats(std::string_view bytes, std::size_t n, std::size_t skipped) {
  std::vector<float> numbers(n);
  for (std::size_t i = 0; i < n; ++i) {
    bytes.remove_prefix(skipped);
    numbers[i] = std::bit_cast<float>(take<std::uint32_t>(bytes));
    bytes.remove_prefix(sizeof(float));
  }
  return numbers;
}

/// The numbers of a float4[] of one dimension without nulls.
bool read_array(std::string_view bytes, std::vector<float>& numbers) {
  constexpr std::size_t kHead = 12, kDimension = 8, kLength = 4;
  if (bytes.size() < kHead) return false;
  const auto dimensions = take<std::int32_t>(bytes);
  if (dimensions == 0) return true;
  if (dimensions != 1 || take<std::int32_t>(bytes.substr(4)) != 0) return false;
  const auto n = static_cast<std::size_t>(take<std::int32_t>(bytes.substr(kHead)));
  bytes.remove_prefix(kHead + kDimension);
  if (bytes.size() != n * (kLength + sizeof(float))) return false;
  numbers = floats(bytes, n, kLength);
  return true;
}

bool read_vector(std::string_view bytes, std::vector<float>& numbers) {
  constexpr std::size_t kHead = 4;
  if (bytes.size() < kHead) return false;
  const auto n = static_cast<std::size_t>(take<std::uint16_t>(bytes));
  if (bytes.size() != kHead + n * sizeof(float)) return false;
  numbers = floats(bytes.substr(kHead), n, 0);
  return true;
}

}  // namespace

bool Row::is_null(int column) const { return PQgetisnull(&result_, row_, first_ + column) != 0; }

template <>
bool Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "bool");
  if (found.type != oid::boolean) refuse(result_, first_ + column, "bool");
  return found.bytes[0] != 0;
}

template <>
std::int32_t Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "int4");
  if (found.type == oid::int4) return take<std::int32_t>(found.bytes);
  if (found.type == oid::int2) return take<std::int16_t>(found.bytes);
  refuse(result_, first_ + column, "int4");
}

template <>
std::int64_t Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "int8");
  if (found.type == oid::int8) return take<std::int64_t>(found.bytes);
  if (found.type == oid::oid) return take<std::uint32_t>(found.bytes);
  return get<std::int32_t>(column);
}

template <>
double Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "float8");
  if (found.type == oid::float8) return std::bit_cast<double>(take<std::uint64_t>(found.bytes));
  if (found.type == oid::float4) return std::bit_cast<float>(take<std::uint32_t>(found.bytes));
  refuse(result_, first_ + column, "float8");
}

template <>
std::string_view Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "text");
  if (!is_text(found.type)) refuse(result_, first_ + column, "text");
  return found.type == oid::jsonb ? found.bytes.substr(1) : found.bytes;  // the version of its format
}

template <>
std::span<const std::byte> Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "bytea");
  if (found.type != oid::bytea) refuse(result_, first_ + column, "bytea");
  return std::as_bytes(std::span(found.bytes));
}

template <>
std::vector<float> Row::get(int column) const {
  const Cell found = cell(result_, row_, first_ + column, "float4[] or vector");
  std::vector<float> numbers;
  const bool read = found.type == oid::float4_array          ? read_array(found.bytes, numbers)
                    : found.type >= oid::first_of_extensions ? read_vector(found.bytes, numbers)
                                                             : false;
  if (!read) refuse(result_, first_ + column, "float4[] or vector");
  return numbers;
}

Rows::Rows(pg_result* result) : result_(result) {}

std::size_t Rows::size() const { return static_cast<std::size_t>(PQntuples(result_.get())); }

std::uint64_t Rows::affected() const {
  const std::string_view digits = PQcmdTuples(result_.get());
  std::uint64_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

void Rows::Clear::operator()(pg_result* result) const noexcept { PQclear(result); }

}  // namespace hasten::postgres
