#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "hasten/settings.hpp"

namespace hasten::cli {

inline constexpr char kCommonGroup[] = "Options of all verbs";

/// The options that every verb has.
struct Options {
  std::filesystem::path kb = "./kb.hasten";
  std::filesystem::path config;  ///< empty: hasten.toml here or in the knowledge base, if any
  std::string store;             ///< empty: what the settings say
  bool json = false;
  bool quiet = false;
  std::optional<std::uint64_t> threads;
  std::optional<std::uint64_t> memory_bytes;
};

void add_common_options(CLI::App& app, Options& options);

/// Bytes of "4096", "512M", "2G", "1.5GiB": units are powers of 1024.
/// @throws Error(invalid)
std::uint64_t parse_size(std::string_view text);

/// The settings file in use: --config's, else hasten.toml here or in the knowledge base; nothing where there
/// is none.
std::optional<std::filesystem::path> settings_file(const Options& options);

/// What the settings file says, and the flags over it.
/// @throws Error(not_found) the --config that was named; Error(invalid).
Settings settings_of(const Options& options);

/// A whole number from 1 on.
CLI::Validator at_least_one();
/// A number from 0 on.
CLI::Validator at_least_zero();

/// A number from 0.001 to 1.
CLI::Validator share();

/// The options of what is reranked: on search, ask and eval.
void add_rerank_options(CLI::App& app, std::string& reranker, std::size_t& rerank_top_k);

/// A check of an option's text: whatever `parse` throws as Error(invalid) becomes wrong use.
CLI::Validator checked_by(std::function<void(const std::string&)> parse);

}  // namespace hasten::cli
