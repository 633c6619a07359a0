#include "stores/postgres/values.hpp"

#include <fmt/format.h>

#include "hasten/error.hpp"
#include "stores/postgres/binary.hpp"

namespace hasten::postgres {
namespace {

// The server takes no message above a GiB; what comes near it belongs into several statements.
constexpr std::size_t kFieldMax = std::size_t{1} << 29;

void put_vector(std::string& bytes, std::span<const float> numbers) {
  put(bytes, static_cast<std::int16_t>(numbers.size()));
  put(bytes, std::int16_t{0});  // unused
  put(bytes, numbers);
}

}  // namespace

template <class Write>
Values& Values::field(std::uint32_t type, const Write& write) {
  const std::size_t at = bytes_.size();
  write(bytes_);
  const std::size_t size = bytes_.size() - at;
  if (size > kFieldMax) {
    throw Error(Code::too_large,
                fmt::format("a value of {} bytes for PostgreSQL, which takes at most {}", size, kFieldMax));
  }
  fields_.push_back({type, at, static_cast<std::int32_t>(size)});
  return *this;
}

/// One dimension, counted from 1, as the server's array_send() writes it.
template <class Write>
Values& Values::array(std::uint32_t type, std::uint32_t of, std::size_t n, const Write& write) {
  return field(type, [&](std::string& bytes) {
    put(bytes, std::int32_t{n > 0});  // dimensions
    put(bytes, std::int32_t{0});      // no nulls
    put(bytes, of);
    if (n == 0) return;
    put(bytes, static_cast<std::int32_t>(n));
    put(bytes, std::int32_t{1});
    for (std::size_t i = 0; i < n; ++i) write(bytes, i);
  });
}

Values& Values::add(bool value) {
  return field(oid::boolean, [&](std::string& bytes) { put(bytes, static_cast<char>(value)); });
}

Values& Values::add(std::int32_t value) {
  return field(oid::int4, [&](std::string& bytes) { put(bytes, value); });
}

Values& Values::add(std::int64_t value) {
  return field(oid::int8, [&](std::string& bytes) { put(bytes, value); });
}

Values& Values::add(double value) {
  return field(oid::float8, [&](std::string& bytes) { put(bytes, std::bit_cast<std::int64_t>(value)); });
}

Values& Values::add(std::string_view text) {
  return field(oid::text, [&](std::string& bytes) { bytes.append(text); });
}

Values& Values::add(std::span<const std::byte> blob) {
  return field(oid::bytea, [&](std::string& bytes) {
    bytes.append(reinterpret_cast<const char*>(blob.data()), blob.size());
  });
}

Values& Values::add(std::span<const float> numbers) {
  return array(oid::float4_array, oid::float4, numbers.size(), [&](std::string& bytes, std::size_t i) {
    put(bytes, std::int32_t{sizeof(float)});
    put(bytes, numbers.subspan(i, 1));
  });
}

Values& Values::add(std::span<const std::int64_t> numbers) {
  return array(oid::int8_array, oid::int8, numbers.size(), [&](std::string& bytes, std::size_t i) {
    put(bytes, std::int32_t{sizeof(std::int64_t)});
    put(bytes, numbers[i]);
  });
}

Values& Values::add(std::span<const std::string> texts) {
  return array(oid::text_array, oid::text, texts.size(), [&](std::string& bytes, std::size_t i) {
    put(bytes, static_cast<std::int32_t>(texts[i].size()));
    bytes.append(texts[i]);
  });
}

Values& Values::add_blobs(std::span<const std::string> blobs) {
  return array(oid::bytea_array, oid::bytea, blobs.size(), [&](std::string& bytes, std::size_t i) {
    put(bytes, static_cast<std::int32_t>(blobs[i].size()));
    bytes.append(blobs[i]);
  });
}

Values& Values::add_null() {
  fields_.push_back({0, bytes_.size(), -1});
  return *this;
}

Values& Values::add_vector(std::span<const float> numbers) {
  return field(0, [&](std::string& bytes) { put_vector(bytes, numbers); });
}

Values& Values::add_vectors(std::uint32_t vector_oid, std::size_t n,
                            const std::function<std::span<const float>(std::size_t)>& at) {
  return array(0, vector_oid, n, [&](std::string& bytes, std::size_t i) {
    const auto numbers = at(i);
    put(bytes, static_cast<std::int32_t>(2 * sizeof(std::int16_t) + numbers.size_bytes()));
    put_vector(bytes, numbers);
  });
}

void Values::clear() noexcept {
  bytes_.clear();
  fields_.clear();
}

Values::Arrays Values::arrays() const {
  Arrays arrays;
  for (const Field& field : fields_) {
    arrays.types.push_back(field.type);
    arrays.values.push_back(field.size < 0 ? nullptr : bytes_.data() + field.at);
    arrays.lengths.push_back(std::max(field.size, 0));
    arrays.formats.push_back(1);
  }
  return arrays;
}

void Values::append_row(std::string& bytes) const {
  put(bytes, static_cast<std::int16_t>(fields_.size()));
  for (const Field& field : fields_) {
    put(bytes, field.size);
    if (field.size > 0) bytes.append(bytes_, field.at, static_cast<std::size_t>(field.size));
  }
}

}  // namespace hasten::postgres
