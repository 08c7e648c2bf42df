// XXH3 (64 bits): HashBytes of bytes at once, Hasher of bytes that come in pieces. How they are
// divided does not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

struct XXH3_state_s;

namespace ringlet {

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t HashText(std::string_view text, uint64_t seed = 0);

class Hasher {
 public:
  Hasher();

  void Add(std::span<const std::byte> bytes);
  // Of the bytes so far.
  uint64_t Digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace ringlet
