// POST /tokenize, /detokenize and /apply-template.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

// {"content", "add_special"?, "parse_special"?, "with_pieces"?} -> {"tokens", "count",
// "max_model_len"}; "prompt" and "add_special_tokens" are other names of "content" and
// "add_special".
void AnswerTokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                    const OrderedJson& body);
// {"tokens"} -> {"content", "prompt"}: the same text twice, under the names that clients look for.
void AnswerDetokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body);

// What clients that do their own templates and log-likelihoods ask for: {"eos_token",
// "chat_template"}; null where the model has none.
OrderedJson TokenizerInfoJson(const ServedModel& model);

}  // namespace ringlet
