// The components of tokenizer.json around the model: each reads its field of the document, refuses
// what it does not implement and names it.
#pragma once

#include "base/status.h"
#include "io/json_fields.h"
#include "io/tokenizer_data.h"

namespace ringlet {

Status ReadNormalizer(const JsonFields& root, TokenizerData& data);
Status ReadPreTokenizer(const JsonFields& root, TokenizerData& data);
// Finds the BOS, the one part of post-processing that matters to a prompt's ids.
Status ReadPostProcessor(const JsonFields& root, TokenizerData& data);
Status ReadDecoder(const JsonFields& root);

}  // namespace ringlet
