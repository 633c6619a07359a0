#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hasten::postgres {

/// The parameters of a statement, or the fields of a row for COPY, encoded in the server's binary format as
/// they are added. Every type is what it is there: nothing is converted by text.
class Values {
 public:
  Values() = default;
  template <class... T>
  static Values of(const T&... values) {
    Values all;
    (all.add(values), ...);
    return all;
  }

  Values& add(bool value);
  Values& add(std::int32_t value);
  Values& add(std::int64_t value);
  Values& add(double value);
  Values& add(std::string_view text);
  Values& add(const char* text) { return add(std::string_view(text)); }
  Values& add(const std::string& text) { return add(std::string_view(text)); }
  Values& add(std::span<const std::byte> bytes);
  Values& add(std::span<const float> numbers);            ///< float4[]
  Values& add(std::span<const std::int64_t> numbers);     ///< int8[]
  Values& add(std::span<const std::string> texts);        ///< text[]
  Values& add_blobs(std::span<const std::string> blobs);  ///< bytea[]
  Values& add(const std::vector<float>& numbers) { return add(std::span(numbers)); }
  Values& add(const std::vector<std::int64_t>& numbers) { return add(std::span(numbers)); }
  Values& add(const std::vector<std::string>& texts) { return add(std::span(texts)); }
  Values& add_null();
  /// pgvector's `vector`, whose type differs from database to database: the statement tells it ($1::vector).
  Values& add_vector(std::span<const float> numbers);
  /// `vector[]` of n: `at(i)` gives each, valid until it is asked for the next.
  Values& add_vectors(std::uint32_t vector_oid, std::size_t n,
                      const std::function<std::span<const float>(std::size_t)>& at);

  std::size_t size() const noexcept { return fields_.size(); }
  void clear() noexcept;

  /// As libpq takes parameters. Valid until something is added.
  struct Arrays {
    std::vector<std::uint32_t> types;  ///< 0: as the statement says
    std::vector<const char*> values;
    std::vector<int> lengths, formats;
  };
  Arrays arrays() const;
  /// As a row of COPY ... (FORMAT binary).
  void append_row(std::string& bytes) const;

 private:
  struct Field {
    std::uint32_t type;
    std::size_t at;
    std::int32_t size;  // -1: null
  };
  template <class Write>
  Values& field(std::uint32_t type, const Write& write);
  template <class Write>
  Values& array(std::uint32_t type, std::uint32_t of, std::size_t n, const Write& write);

  std::string bytes_;
  std::vector<Field> fields_;
};

}  // namespace hasten::postgres
