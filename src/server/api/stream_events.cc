#include "server/api/stream_events.h"

#include <utility>

#include <fmt/format.h>

namespace ringlet {

std::string Serialize(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void RespondJson(Exchange& exchange, const OrderedJson& json, int status) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = Serialize(json);
  exchange.Respond(std::move(response));
}

StreamFields ReadStream(Fields& fields) {
  StreamFields out;
  out.stream = fields.Bool("stream").value_or(false);
  if (const OrderedJson* options = fields.Object("stream_options")) {
    Fields inner(*options, "stream_options");
    out.include_usage = inner.Bool("include_usage").value_or(false);
    inner.Ignore({"include_obfuscation"});
    if (const Status status = inner.Finish(); !status.ok()) fields.Fail("stream_options", status);
  }
  return out;
}

void BeginEvents(Exchange& exchange) {
  // Proxies must neither keep nor collect what belongs to one reader now.
  exchange.BeginStream(200, "text/event-stream",
                       {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}});
}

void WriteEvent(Exchange& exchange, const OrderedJson& json, std::string_view event) {
  const std::string name = event.empty() ? "" : fmt::format("event: {}\n", event);
  exchange.Write(fmt::format("{}data: {}\n\n", name, Serialize(json)));
}

void EndEvents(Exchange& exchange) {
  exchange.Write("data: [DONE]\n\n");
  exchange.End();
}

void FailOpenAi(Exchange& exchange, const Status& status) {
  HttpResponse response = ErrorResponse(status);
  if (!exchange.answered()) return exchange.Respond(std::move(response));
  exchange.Write(fmt::format("data: {}\n\n", response.body));
  exchange.End();
}

OrderedJson UsageJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.answer_tokens},
          {"total_tokens", usage.prompt_tokens + usage.answer_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

OrderedJson TimingsJson(const JobStatistics& statistics, int64_t answer_tokens) {
  return {{"cached_n", statistics.cached_tokens},
          {"prompt_n", statistics.prompt_tokens - statistics.cached_tokens},
          {"prompt_ms", statistics.prefill_seconds * 1e3},
          {"predicted_n", answer_tokens},
          {"predicted_ms", statistics.decode_seconds * 1e3},
          {"queue_ms", statistics.queue_seconds * 1e3}};
}

std::string_view OpenAiFinishReason(const Decoding& decoding) {
  return FinishReasonName(decoding.finish().value_or(FinishReason::kLength));
}

}  // namespace ringlet
