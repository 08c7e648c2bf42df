// TokenConstraint: what an answer may consist of, token by token.
#pragma once

#include <cstdint>
#include <span>

namespace ringlet {

// Belongs to one answer.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // The tokens that may come next, end tokens among them, as bits of a TokenSet; empty: every one.
  // Valid until Accept.
  virtual std::span<const uint64_t> Allowed() = 0;
  // A token was drawn, and it was no end token.
  virtual void Accept(int32_t token) = 0;
};

}  // namespace ringlet
