// POST /v1/chat/completions.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

void AnswerChatCompletion(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                          const OrderedJson& body);

// POST /apply-template: the prompt that the messages of such a request become, {"prompt", "count"}.
void AnswerApplyTemplate(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                         const OrderedJson& body);

// The tokens of the prompt that such a request becomes.
Result<std::vector<int32_t>> ChatTokens(const ServedModel& model, const OrderedJson& body);

}  // namespace ringlet
