// The pieces that OpenAI's endpoints share: streams of JSON events, usage, timings.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/job.h"
#include "server/api/answers.h"
#include "server/api/fields.h"
#include "server/http/exchange.h"

namespace ringlet {

// JSON as it goes to clients: one line, invalid UTF-8 replaced.
std::string Serialize(const OrderedJson& json);

void RespondJson(Exchange& exchange, const OrderedJson& json, int status = 200);

// The fields stream and stream_options.
struct StreamFields {
  bool stream = false;
  bool include_usage = false;
};
StreamFields ReadStream(Fields& fields);

// Begins a stream of server-sent events.
void BeginEvents(Exchange& exchange);
// "data: {...}", with an event name if given.
void WriteEvent(Exchange& exchange, const OrderedJson& json, std::string_view event = {});
// "data: [DONE]" and the end.
void EndEvents(Exchange& exchange);
// An error in the middle of a stream, and its end; before one, a response.
void FailOpenAi(Exchange& exchange, const Status& status);

// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}.
OrderedJson UsageJson(const Usage& usage);
// Beyond OpenAI: what was computed, and how long it took.
OrderedJson TimingsJson(const JobStatistics& statistics, int64_t answer_tokens);

// "stop" or "length".
std::string_view OpenAiFinishReason(const Decoding& decoding);

}  // namespace ringlet
