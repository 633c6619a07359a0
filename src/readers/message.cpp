#include "readers/message.hpp"

#include "hasten/error.hpp"

namespace hasten {

void write_message(std::span<const std::string_view> fields,
                   const std::function<void(std::string_view)>& write) {
  std::vector<std::uint64_t> sizes;
  for (const std::string_view field : fields) sizes.push_back(field.size());
  write({reinterpret_cast<const char*>(sizes.data()), sizes.size() * sizeof(std::uint64_t)});
  for (const std::string_view field : fields) write(field);
}

Message read_message(std::size_t fields, std::uint64_t bytes_max,
                     const std::function<bool(std::span<char>)>& read) {
  std::vector<std::uint64_t> sizes(fields);
  if (!read({reinterpret_cast<char*>(sizes.data()), fields * sizeof(std::uint64_t)})) return {};
  Message message;
  for (const std::uint64_t size : sizes) {
    if (size > bytes_max) throw Error(Code::too_large, "a message is longer than it may be");
    bytes_max -= size;
    std::string& field = message.emplace_back(size, '\0');
    if (!read(field)) throw Error(Code::damaged, "a message ends too early");
  }
  return message;
}

}  // namespace hasten
