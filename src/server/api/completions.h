// POST /v1/completions: texts or token ids to continue.
#pragma once

#include <memory>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

void AnswerCompletion(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body);

}  // namespace ringlet
