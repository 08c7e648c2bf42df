// The checked parts that a Tokenizer is made of; private to it and to its builder.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/tokenizer.h"

namespace ringlet {

struct Tokenizer::Parts {
  explicit Parts(int32_t vocab_size)
      : vocabulary(vocab_size), special(static_cast<size_t>(vocab_size)) {
    byte_ids.fill(-1);
  }

  Vocabulary vocabulary;
  std::array<int32_t, 256> byte_ids;
  std::vector<BpeMerge> merges;
  BpeOptions bpe_options;
  std::vector<PreTokenizerStage> stages;
  std::vector<NormalForm> normalizers;
  std::vector<AddedToken> added_tokens;
  std::vector<bool> special;  // by id
  std::optional<int32_t> bos_id;
  bool adds_bos = false;
  std::vector<int32_t> eos_ids;
};

}  // namespace ringlet
