// POST /v1/responses: OpenAI's newer API. Nothing is stored: the whole conversation comes with each
// request.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

void AnswerResponses(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                     const OrderedJson& body);

}  // namespace ringlet
