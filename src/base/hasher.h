// Hasher: XXH3 (64 bits) of bytes that come in pieces. How they are divided does not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct XXH3_state_s;

namespace ringlet {

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
