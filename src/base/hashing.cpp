#include "base/hashing.hpp"

#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/files.hpp"
#include "hasten/error.hpp"

namespace hasten {

namespace {

/// Looked up in libcrypto once: that takes longer than hashing a short text. It lives as long as the process.
const EVP_MD* sha256() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (!context_->evp || !sha256() || EVP_DigestInit_ex(context_->evp.get(), sha256(), nullptr) != 1) {
    throw Error(Code::internal, "sha256: libcrypto offers no SHA-256");
  }
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::string_view bytes) {
  EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size());
  return *this;
}

Sha256::Digest Sha256::finish() {
  Digest digest;
  EVP_DigestFinal_ex(context_->evp.get(), digest.data(), nullptr);
  return digest;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) { return hex(Sha256().update(bytes).finish()); }

std::string sha256_file(const std::filesystem::path& path) {
  // Read, not mapped: a file that shrinks meanwhile must not raise SIGBUS.
  Sha256 hash;
  for_each_chunk(path, [&](std::string_view chunk) { hash.update(chunk); });
  return hex(hash.finish());
}

std::uint64_t checksum(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t checksum(std::string_view bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace hasten
