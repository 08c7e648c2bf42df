// What says how the server is: /health, /ready, /metrics, /slots, /props and /v1/models.
#pragma once

#include <memory>
#include <string>

#include "server/api/served_model.h"
#include "server/http/exchange.h"
#include "server/http/server.h"

namespace ringlet {

// In Prometheus' text format.
std::string MetricsText(const BatcherStatistics& batches, const HttpServerStats& http);

OrderedJson SlotsJson(const ServedModel& model);
OrderedJson PropsJson(const ServedModel& model);
OrderedJson ModelJson(const ServedModel& model);

}  // namespace ringlet
