// The training data as an endless sequence of packed token sequences, drawn from a weighted
// mixture of shard sets.
//
// Each source is cut into chunks of `length` tokens. Every epoch of a source visits each of its
// chunks once, in an order of its own, and cuts at other places as far as the remainder allows. Of
// every kWindow sequences in a row (counted from 0) each source gives exactly its share. All of
// this is computed from the seed and the number of the sequence, so that the position in the data
// is that number.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "train/data/shard_set.h"

namespace ringlet {

struct MixtureSource {
  std::shared_ptr<const ShardSet> data;
  double weight = 1;  // its share of the tokens, relative to the other sources
};

// `length` tokens of one source.
struct PackedSequence {
  static constexpr int32_t kNoTarget = -1;

  std::vector<int32_t> tokens;
  // The token that follows in the same document, else kNoTarget.
  std::vector<int32_t> targets;
  // Where documents begin, ascending; the first is 0, also in the middle of a document: state,
  // attention and positions start anew at each.
  std::vector<int32_t> starts;
  size_t source = 0;
  uint64_t epoch = 0;  // of that source
  uint64_t begin = 0;  // the first token's place in the source
};

class DataSampler {
 public:
  static constexpr uint64_t kWindow = 1000;
  static constexpr int64_t kMaxLength = int64_t{1} << 30;
  static constexpr uint64_t kMaxPosition = uint64_t{1} << 62;

  // Errors: no sources, more than kWindow, a weight that is not positive and finite or below
  // 1/kWindow of all, sources of different vocabularies, a source shorter than `length`.
  static Result<DataSampler> Create(std::vector<MixtureSource> sources, int64_t length,
                                    uint64_t seed);

  // Sequence number `index`, whatever the position; below kMaxPosition.
  Status At(uint64_t index, PackedSequence& sequence) const;
  // The sequence at the position, which then moves on; after an error it stays.
  Status Next(PackedSequence& sequence);

  uint64_t position() const { return position_; }
  int64_t length() const { return length_; }
  uint64_t vocab_size() const { return sources_.front().data->manifest().vocab_size; }
  // Sequences of source `s` in every window.
  uint64_t Share(size_t s) const { return shares_[s]; }
  // Sequences of source `s` in one of its epochs.
  uint64_t EpochSequences(size_t s) const { return sources_[s].data->tokens() / Length(); }

  // The position, with what it is a position in.
  Json SavePosition() const;
  // Errors name `source` and the field that differs from this sampler's.
  Status RestorePosition(const Json& saved, const std::string& source);

 private:
  // Where in a source a sequence comes from.
  struct Draw {
    size_t source = 0;
    uint64_t number = 0;  // among the sequences of that source
  };

  DataSampler(std::vector<MixtureSource> sources, std::vector<uint64_t> shares, int64_t length,
              uint64_t seed)
      : sources_(std::move(sources)), shares_(std::move(shares)), length_(length), seed_(seed) {}

  uint64_t Length() const { return static_cast<uint64_t>(length_); }
  uint64_t Key(uint64_t purpose, uint64_t a, uint64_t b) const;
  Draw DrawOf(uint64_t index) const;
  // The source of a place in the window before it is shuffled.
  size_t SourceOfSlot(uint64_t slot) const;

  std::vector<MixtureSource> sources_;
  std::vector<uint64_t> shares_;  // add up to kWindow
  int64_t length_;
  uint64_t seed_;
  uint64_t position_ = 0;
};

}  // namespace ringlet
