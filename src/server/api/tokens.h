// POST /tokenize, /detokenize and /apply-template.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

// {"content", "add_special"?, "parse_special"?, "with_pieces"?} -> {"tokens", "count",
// "max_model_len"}; "prompt" is another name of "content".
void AnswerTokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                    const OrderedJson& body);
// {"tokens"} -> {"content", "prompt"}: the same text twice, under the names that clients look for.
void AnswerDetokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body);

}  // namespace ringlet
