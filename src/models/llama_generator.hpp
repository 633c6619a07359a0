#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hasten/generator.hpp"

namespace hasten {

/// A generator over llama.cpp. Greedy decoding gives the same bits every time. The weights are
/// mapped.
/// @param languages  that it writes well (ISO 639-1); empty: every one.
/// @param threads    0: one a core.
/// @throws Error(not_found); Error(corrupt) cut short or not a model that writes.
std::shared_ptr<const Generator> open_llama_generator(const std::filesystem::path& file, std::string name,
                                                      std::vector<std::string> languages,
                                                      std::size_t threads);

}  // namespace hasten
