// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

void AnswerMessages(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                    const OrderedJson& body);
void AnswerCountTokens(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                       const OrderedJson& body);

}  // namespace ringlet
