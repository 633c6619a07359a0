#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

struct pg_result;

namespace hasten::postgres {

/// A row of a result; valid as long as the Rows that gave it.
class Row {
 public:
  Row(const pg_result& result, int row, int first = 0) : result_(result), row_(row), first_(first) {}
  /// The row's columns from this one on, for who reads them as a row of their own.
  Row from(int column) const { return {result_, row_, first_ + column}; }
  bool is_null(int column) const;
  /// The value of a column, whose type must fit without loss:
  ///   bool; std::int32_t of int2 and int4; std::int64_t of int8 too, and of oid; double of float4 and
  ///   float8; std::string_view (into the result) of text, varchar, name, json and jsonb; std::span<const
  ///   std::byte> (into the result) of bytea; std::vector<float> of float4[] and pgvector's vector.
  /// @throws Error(internal) another type, a null, or no such column: a mistake in the statement.
  template <class T>
  T get(int column) const;

 private:
  const pg_result& result_;
  int row_, first_;
};

template <>
bool Row::get<bool>(int column) const;
template <>
std::int32_t Row::get<std::int32_t>(int column) const;
template <>
std::int64_t Row::get<std::int64_t>(int column) const;
template <>
double Row::get<double>(int column) const;
template <>
std::string_view Row::get<std::string_view>(int column) const;
template <>
std::span<const std::byte> Row::get<std::span<const std::byte>>(int column) const;
template <>
std::vector<float> Row::get<std::vector<float>>(int column) const;

/// The answer to a statement, in memory. It may be read by several threads.
class Rows {
 public:
  /// Takes it over.
  explicit Rows(pg_result* result);
  std::size_t size() const;
  Row operator[](std::size_t row) const { return {*result_, static_cast<int>(row)}; }
  /// Rows that an INSERT, UPDATE, DELETE or COPY changed.
  std::uint64_t affected() const;

 private:
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace hasten::postgres
