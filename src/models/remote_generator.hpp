#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hasten/generator.hpp"

namespace hasten {

/// Where an OpenAI-compatible server is and which of its models is meant.
struct GeneratorAddress {
  std::string base;   ///< "http://127.0.0.1:8000/v1", without a slash at the end
  std::string model;  ///< empty: the first that GET base/models names

  /// Takes "http://host:port", ".../v1", ".../v1/chat/completions", each with "#model" or not.
  /// @throws Error(invalid) not an http(s) URL.
  static GeneratorAddress parse(std::string_view url);
};

/// Whether a generator's name is a URL.
bool is_url(std::string_view name);

/// A generator behind an OpenAI-compatible server; $OPENAI_API_KEY is sent where it is set. Asks
/// the server for nothing until it is used. Redirects are not followed, so that the key goes to
/// nobody else.
/// @throws Error(invalid) the URL.
std::shared_ptr<const Generator> open_remote_generator(std::string_view url);

}  // namespace hasten
