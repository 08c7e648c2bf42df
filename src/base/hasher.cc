#include "base/hasher.h"

#include <xxhash.h>

#include "base/check.h"

namespace ringlet {

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t HashText(std::string_view text, uint64_t seed) {
  return HashBytes(std::as_bytes(std::span(text)), seed);
}

Hasher::Hasher() : state_(XXH3_createState()) {
  RINGLET_CHECK(state_ != nullptr, "out of memory");
  XXH3_64bits_reset(state_.get());
}

void Hasher::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void Hasher::Add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t Hasher::Digest() const { return XXH3_64bits_digest(state_.get()); }

}  // namespace ringlet
