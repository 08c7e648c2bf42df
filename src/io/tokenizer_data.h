// What a tokenizer file says, in one form for both formats. tokenizer_json.cc and tokenizer_gguf.cc
// fill it; Tokenizer::Build checks what both have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/added_tokens.h"
#include "io/normalizer.h"
#include "io/pretokenizer.h"

namespace ringlet {

struct TokenizerData {
  std::string source;       // for errors
  std::string vocab_field;  // what the file calls these three
  std::string merges_field;
  std::string added_field;

  std::vector<std::pair<std::string, int32_t>> vocab;  // spelt in the byte alphabet
  std::vector<std::pair<std::string, std::string>> merges;
  // An added token may also be in `vocab`, then with the same id.
  std::vector<AddedToken> added_tokens;
  std::optional<std::string> unk_token;
  bool fuse_unk = false;
  bool ignore_merges = false;

  std::vector<NormalForm> normalizers;
  std::vector<PreTokenizerStage> stages;

  std::optional<int32_t> bos_id;
  std::string bos_field;
  bool adds_bos = false;
  std::vector<int32_t> eos_ids;
  std::vector<std::string> eos_fields;  // as many
};

}  // namespace ringlet
