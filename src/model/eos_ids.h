// Which token ids end an answer. Checkpoints spread them over several files, and config.json alone
// is known to miss one (the chat turn's end) for the Ling and Ring models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "model/config.h"

namespace ringlet {

class GgufFile;

// Adds to config.eos_ids, which holds those of config.json, the ids that `directory`'s
// generation_config.json and tokenizer_config.json name. Absent files add nothing. Fills bos_id
// when it is unset. The result is ascending and without duplicates.
Status AddHfEosIds(const std::string& directory, ModelConfig& config);

// The part of AddHfEosIds for one generation_config.json; `source` names it in errors.
Status AddGenerationTokens(const Json& json, const std::string& source, ModelConfig& config);

// The ids of the file's metadata and, among its control tokens, the end markers that chat models
// use.
Status AddGgufEosIds(const GgufFile& file, ModelConfig& config);

}  // namespace ringlet
