// POST /v1/embeddings: the mean of a text's hidden states.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

// The mean over a text's tokens of the final norm's output, divided by its length (L2), as floats
// or base64 of little-endian fp32. `dimensions` keeps the first so many before that division.
void AnswerEmbeddings(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body);

}  // namespace ringlet
