#include "server/api/chat_completions.h"

#include <string>
#include <utility>
#include <vector>

#include "io/utf8.h"
#include "server/api/answers.h"
#include "server/api/chat_job.h"
#include "server/api/chat_writer.h"
#include "server/api/fields.h"
#include "server/api/output_fields.h"
#include "server/api/sampling_fields.h"
#include "server/api/stream_events.h"
#include "server/chat/messages.h"

namespace ringlet {
namespace {

struct StreamOptions {
  bool include_usage = false;
  bool progress = false;
};

void ReadMessages(Fields& fields, const OrderedJson& body, ChatRequest& request) {
  fields.Ignore({"messages", "tools", "tool_choice", "parallel_tool_calls"});
  auto prompt = server::PromptOfChatCompletions(body, "body");
  if (!prompt.ok()) return fields.Fail("messages", prompt.status());
  request.messages = std::move(prompt->messages);
  request.tools = std::move(prompt->tools);
}

void ReadLogprobs(Fields& fields, GenerateOptions& options) {
  const bool wanted = fields.Bool("logprobs").value_or(false);
  const auto top = fields.Integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && !wanted) return fields.Fail("top_logprobs", "a number", "logprobs: true beside it");
  if (wanted) options.top_logprobs = static_cast<int>(top.value_or(0));
}

ChatRequest ReadChat(Fields& fields, const ServedModel& model, const OrderedJson& body,
                     StreamOptions* stream) {
  ChatRequest request;
  ReadMessages(fields, body, request);
  request.options = ReadSampling(fields, model);
  const auto max_tokens = fields.Integer("max_tokens", 0, kMaxTokens);
  request.options.max_tokens =
      fields.Integer("max_completion_tokens", 0, kMaxTokens).value_or(max_tokens.value_or(-1));
  request.options.stop = fields.Strings("stop", kMaxStops).value_or(std::vector<std::string>());
  ReadLogprobs(fields, request.options);
  ReadOutput(fields, model, request);
  request.n = fields.Integer("n", 1, kMaxChoices).value_or(1);
  request.continue_final = fields.Bool("continue_final_message").value_or(false);
  if (const auto add = fields.Bool("add_generation_prompt");
      add && *add == request.continue_final) {
    fields.Fail("add_generation_prompt", *add ? "true" : "false",
                "the opposite of continue_final_message");
  }
  const StreamFields streaming = ReadStream(fields);
  request.stream = streaming.stream;
  stream->include_usage = streaming.include_usage;
  stream->progress = fields.Bool("return_progress").value_or(false);
  // Without effect on OpenAI's own server or here.
  fields.Ignore({"model", "user", "store", "metadata", "service_tier", "prediction",
                 "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "verbosity"});
  return request;
}

OrderedJson TokenJson(const ServedModel& model, const ScoredToken& token) {
  const std::string_view bytes = model.text.tokenizer().TokenBytes(token.id);
  OrderedJson list = OrderedJson::array();
  for (const char byte : bytes) list.push_back(static_cast<uint8_t>(byte));
  return {{"token", ReplaceInvalidUtf8(bytes)}, {"logprob", token.logprob}, {"bytes", list}};
}

OrderedJson LogprobsJson(const ServedModel& model, std::span<const TokenLogprobs> scores) {
  OrderedJson content = OrderedJson::array();
  for (const TokenLogprobs& score : scores) {
    OrderedJson entry = TokenJson(model, score.token);
    entry["top_logprobs"] = OrderedJson::array();
    for (const ScoredToken& top : score.top) entry["top_logprobs"].push_back(TokenJson(model, top));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

std::string_view FinishOf(const ChatChoice& choice) {
  if (!choice.calls.empty() && choice.finish != FinishReason::kLength) return "tool_calls";
  return FinishReasonName(choice.finish);
}

class OpenAiChat : public ChatDialect {
 public:
  OpenAiChat(const ServedModel& model, const ChatRequest& request, const StreamOptions& stream)
      : model_(model),
        logprobs_(request.options.top_logprobs >= 0),
        stream_(stream),
        id_(NewId("chatcmpl-")),
        created_(UnixSeconds()) {}

  OrderedJson Body(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < choices.size(); ++i) list.push_back(ChoiceJson(i, choices[i]));
    OrderedJson body = Envelope("chat.completion", std::move(list));
    body["usage"] = UsageJson(usage);
    body["timings"] = Timings(choices);
    return body;
  }

  void Begin(Exchange& exchange) override { BeginEvents(exchange); }

  void Progress(Exchange& exchange, int64_t done, const JobStatistics& statistics) override {
    if (!stream_.progress) return;
    OrderedJson chunk = Chunk(OrderedJson::array());
    chunk["prompt_progress"] = {{"total", statistics.prompt_tokens},
                                {"cache", statistics.cached_tokens},
                                {"processed", done}};
    WriteEvent(exchange, chunk);
  }

  void Reasoning(Exchange& exchange, size_t choice, std::string_view text) override {
    Delta(exchange, choice, {{"reasoning_content", text}});
  }
  void Content(Exchange& exchange, size_t choice, std::string_view text) override {
    Delta(exchange, choice, {{"content", text}});
  }
  void CallBegin(Exchange& exchange, size_t choice, size_t call, const ChatCall& begun) override {
    CallDelta(exchange, choice,
              {{"index", call},
               {"id", begun.id},
               {"type", "function"},
               {"function", {{"name", begun.name}, {"arguments", ""}}}});
  }
  void CallArguments(Exchange& exchange, size_t choice, size_t call,
                     std::string_view text) override {
    CallDelta(exchange, choice, {{"index", call}, {"function", {{"arguments", text}}}});
  }
  void Logprobs(Exchange& exchange, size_t choice, std::span<const TokenLogprobs> scores) override {
    OrderedJson entry = Entry(choice, OrderedJson::object());
    entry["logprobs"] = LogprobsJson(model_, scores);
    WriteEvent(exchange, Chunk(OrderedJson::array({std::move(entry)})));
  }
  void ChoiceEnd(Exchange& exchange, size_t choice, const ChatChoice& whole) override {
    OrderedJson entry = Entry(choice, OrderedJson::object());
    entry["finish_reason"] = FinishOf(whole);
    OrderedJson chunk = Chunk(OrderedJson::array({std::move(entry)}));
    chunk["timings"] = TimingsJson(whole.statistics, std::ssize(whole.tokens));
    WriteEvent(exchange, chunk);
  }
  void End(Exchange& exchange, const std::vector<ChatChoice>& choices,
           const Usage& usage) override {
    if (stream_.include_usage) {
      OrderedJson chunk = Chunk(OrderedJson::array());
      chunk["usage"] = UsageJson(usage);
      chunk["timings"] = Timings(choices);
      WriteEvent(exchange, chunk);
    }
    EndEvents(exchange);
  }
  void Fail(Exchange& exchange, const Status& status) override { FailOpenAi(exchange, status); }
  void Refuse(Exchange& exchange, const Status& status) override {
    exchange.Respond(RefusalResponse(status));
  }

 private:
  OrderedJson Envelope(std::string_view object, OrderedJson choices) const {
    return {{"id", id_},
            {"object", object},
            {"created", created_},
            {"model", model_.id},
            {"choices", std::move(choices)}};
  }
  OrderedJson Chunk(OrderedJson choices) const {
    return Envelope("chat.completion.chunk", std::move(choices));
  }
  static OrderedJson Entry(size_t choice, OrderedJson delta) {
    return {{"index", choice}, {"delta", std::move(delta)}, {"finish_reason", nullptr}};
  }

  // The first delta of a choice says whose words these are.
  void Delta(Exchange& exchange, size_t choice, OrderedJson delta) {
    if (choice >= begun_.size()) begun_.resize(choice + 1);
    if (!begun_[choice]) {
      OrderedJson first = {{"role", "assistant"}};
      first.update(delta);
      delta = std::move(first);
      begun_[choice] = true;
    }
    WriteEvent(exchange, Chunk(OrderedJson::array({Entry(choice, std::move(delta))})));
  }
  void CallDelta(Exchange& exchange, size_t choice, OrderedJson call) {
    Delta(exchange, choice, {{"tool_calls", OrderedJson::array({std::move(call)})}});
  }

  OrderedJson ChoiceJson(size_t index, const ChatChoice& choice) const {
    OrderedJson message = {{"role", "assistant"}};
    const bool only_calls = choice.content.empty() && !choice.calls.empty();
    message["content"] = only_calls ? OrderedJson() : OrderedJson(choice.content);
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    for (const ChatCall& call : choice.calls) {
      message["tool_calls"].push_back(
          {{"id", call.id},
           {"type", "function"},
           {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    OrderedJson json = {{"index", index}, {"message", std::move(message)}};
    json["logprobs"] = logprobs_ ? LogprobsJson(model_, choice.logprobs) : OrderedJson();
    json["finish_reason"] = FinishOf(choice);
    return json;
  }

  static OrderedJson Timings(const std::vector<ChatChoice>& choices) {
    return TimingsJson(choices.front().statistics, std::ssize(choices.front().tokens));
  }

  const ServedModel& model_;
  const bool logprobs_;
  const StreamOptions stream_;
  const std::string id_;
  const int64_t created_;
  std::vector<bool> begun_;
};

}  // namespace

void AnswerChatCompletion(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                          const OrderedJson& body) {
  Fields fields(body);
  StreamOptions stream;
  const ChatRequest request = ReadChat(fields, model, body, &stream);
  const Status status = fields.Finish();
  const Result<ChatPrompt> prompt =
      status.ok() ? MakeChatPrompt(model, request) : Result<ChatPrompt>(status);
  if (!prompt.ok()) return exchange->Respond(ErrorResponse(prompt.status(), fields.param()));
  StartChat(model, std::move(exchange), request, *prompt,
            std::make_unique<OpenAiChat>(model, request, stream));
}

Result<std::vector<int32_t>> ChatTokens(const ServedModel& model, const OrderedJson& body) {
  Fields fields(body);
  StreamOptions stream;
  const ChatRequest request = ReadChat(fields, model, body, &stream);
  RINGLET_RETURN_IF_ERROR(fields.Finish());
  RINGLET_ASSIGN_OR_RETURN(ChatPrompt prompt, MakeChatPrompt(model, request));
  return std::move(prompt.tokens);
}

void AnswerApplyTemplate(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                         const OrderedJson& body) {
  Fields fields(body);
  StreamOptions stream;
  const ChatRequest request = ReadChat(fields, model, body, &stream);
  if (Refused(fields, *exchange)) return;
  const auto prompt = RenderChat(model, request);
  if (!prompt.ok()) return exchange->Respond(ErrorResponse(prompt.status(), "messages"));
  const auto ids = model.text.EncodeRendered(*prompt);
  if (!ids.ok()) return exchange->Respond(ErrorResponse(ids.status(), "messages"));
  RespondJson(*exchange, {{"prompt", *prompt}, {"count", ids->size()}});
}

}  // namespace ringlet
