#pragma once

#include <cctype>
#include <cmath>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hasten/embedder.hpp"

namespace hasten::bench {

/// The mean of its words' directions, each drawn at random once: texts that share words are near each other,
/// as with a model, and embedding costs microseconds.
class MadeUpEmbedder : public Embedder {
 public:
  Matrix embed(std::span<const std::string_view> texts, Role, std::stop_token) const override {
    const std::lock_guard lock(mutex_);
    Matrix vectors{texts.size(), kDim, {}};
    for (const std::string_view text : texts) {
      std::vector<float> sum = direction("");  // of a text without words
      for (const std::string& word : words_of(text)) {
        const std::vector<float>& of_word = direction(word);
        for (std::size_t d = 0; d < kDim; ++d) sum[d] += of_word[d];
      }
      float square = 0;
      for (const float value : sum) square += value * value;
      for (float& value : sum) vectors.values.push_back(value /= std::sqrt(square));
    }
    return vectors;
  }
  std::size_t dim() const override { return kDim; }
  std::size_t max_tokens() const override { return 1 << 20; }
  std::string fingerprint() const override { return "directions of words 1"; }

 private:
  static constexpr std::size_t kDim = 384;

  /// Runs of letters and digits; of Chinese, which has no spaces, each two characters.
  static std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word, before;
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const std::size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      const std::string_view character = text.substr(at, length);
      at += length;
      if (length == 1 && std::isalnum(byte) != 0) {
        word.push_back(static_cast<char>(std::tolower(byte)));
        continue;
      }
      if (word.size() > 3) words.push_back(word);  // shorter ones say little
      word.clear();
      if (length == 3 && !before.empty()) words.push_back(before + std::string(character));
      before = length == 3 ? character : std::string_view();
    }
    if (word.size() > 3) words.push_back(word);
    return words;
  }

  const std::vector<float>& direction(const std::string& word) const {
    std::vector<float>& values = directions_[word];
    if (values.empty()) {
      std::mt19937_64 random(std::hash<std::string>()(word));
      std::normal_distribution<float> normal;
      for (std::size_t d = 0; d < kDim; ++d) values.push_back(normal(random));
    }
    return values;
  }

  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::vector<float>> directions_;
};

}  // namespace hasten::bench
