// POST /v1/chat/completions.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

void AnswerChatCompletion(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                          const OrderedJson& body);

// POST /apply-template: the prompt that the messages of such a request become, {"prompt", "count"}.
void AnswerApplyTemplate(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                         const OrderedJson& body);

}  // namespace ringlet
