// Sequence: the tokens of one conversation and what the model remembers of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ringlet {

struct SequenceState;

// Movable, not copyable; Fork() is the copy, and it shares everything that is immutable (full KV
// pages, anchors). Thread-compatible.
class Sequence {
 public:
  Sequence();
  Sequence(Sequence&&) noexcept;
  Sequence& operator=(Sequence&&) noexcept;
  ~Sequence();

  int64_t length() const;
  std::span<const int32_t> tokens() const;
  Sequence Fork() const;

  SequenceState& state() { return *state_; }
  const SequenceState& state() const { return *state_; }

 private:
  std::unique_ptr<SequenceState> state_;
};

// How many tokens two texts begin alike.
int64_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace ringlet
