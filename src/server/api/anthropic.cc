#include "server/api/anthropic.h"

#include <string>
#include <utility>
#include <vector>

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

std::string_view ErrorType(int status) {
  switch (status) {
    case 400:
      return "invalid_request_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return "api_error";
  }
}

// The same error in this API's words.
HttpResponse Translated(HttpResponse response, std::string_view message) {
  response.body = Serialize(
      {{"type", "error"}, {"error", {{"type", ErrorType(response.status)}, {"message", message}}}});
  return response;
}

void ReadThinking(Fields& fields, ChatRequest& request) {
  const OrderedJson* thinking = fields.Object("thinking");
  if (thinking == nullptr) return;
  Fields inner(*thinking, "thinking");
  const std::string type =
      inner.OneOf("type", {"enabled", "disabled", "adaptive"}).value_or("disabled");
  const auto budget = inner.Integer("budget_tokens", 0, kMaxTokens);
  inner.Ignore({"display"});
  if (const Status status = inner.Finish(); !status.ok()) return fields.Fail("thinking", status);
  request.variables = {{"enable_thinking", type != "disabled"}};
  if (type == "enabled") request.thinking_budget = budget.value_or(-1);
}

void ReadConversation(Fields& fields, const OrderedJson& body, ChatRequest& request) {
  fields.Ignore({"messages", "system", "tools", "tool_choice"});
  auto prompt = server::PromptOfAnthropic(body, "body");
  if (!prompt.ok()) return fields.Fail("messages", prompt.status());
  request.messages = std::move(prompt->messages);
  request.tools = std::move(prompt->tools);
  // A last message of the assistant is a beginning that the answer goes on with.
  request.continue_final =
      !request.messages.empty() && request.messages.back().value("role", "") == "assistant";
}

ChatRequest ReadRequest(Fields& fields, const ServedModel& model, const OrderedJson& body) {
  ChatRequest request;
  ReadConversation(fields, body, request);
  request.options = ReadSampling(fields, model);
  const auto max_tokens = fields.Integer("max_tokens", 1, kMaxTokens);
  if (!max_tokens) fields.Fail("max_tokens", "nothing", "a number of tokens");
  request.options.max_tokens = max_tokens.value_or(1);
  request.options.stop =
      fields.Strings("stop_sequences", kMaxStops).value_or(std::vector<std::string>());
  request.stream = fields.Bool("stream").value_or(false);
  ReadThinking(fields, request);
  fields.Ignore({"model", "metadata", "service_tier", "container", "context_management", "betas",
                 "inference_geo"});
  return request;
}

class Anthropic : public ChatDialect {
 public:
  Anthropic(const ServedModel& model, int64_t prompt_tokens)
      : model_(model), prompt_tokens_(prompt_tokens), id_(NewId("msg_")) {}

  OrderedJson Body(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    const ChatChoice& choice = choices.front();
    OrderedJson content = OrderedJson::array();
    if (!choice.reasoning.empty()) content.push_back(ThinkingBlock(choice.reasoning));
    if (!choice.content.empty()) content.push_back(TextBlock(choice.content));
    for (const ChatCall& call : choice.calls) content.push_back(CallBlock(call, call.arguments));
    return Message(std::move(content), StopReason(choice), StopSequence(choice), UsageOf(usage));
  }

  void Begin(Exchange& exchange) override {
    BeginEvents(exchange);
    const OrderedJson usage = UsageOf({.prompt_tokens = prompt_tokens_});
    Event(exchange, "message_start",
          {{"message", Message(OrderedJson::array(), nullptr, nullptr, usage)}});
  }
  void Reasoning(Exchange& exchange, size_t, std::string_view text) override {
    Open(exchange, Block::kThinking);
    Delta(exchange, {{"type", "thinking_delta"}, {"thinking", text}});
  }
  void Content(Exchange& exchange, size_t, std::string_view text) override {
    Open(exchange, Block::kText);
    Delta(exchange, {{"type", "text_delta"}, {"text", text}});
  }
  void CallBegin(Exchange& exchange, size_t, size_t, const ChatCall& begun) override {
    Close(exchange);
    open_ = Block::kCall;
    Start(exchange, CallBlock(begun, "{}"));
  }
  void CallArguments(Exchange& exchange, size_t, size_t, std::string_view text) override {
    Delta(exchange, {{"type", "input_json_delta"}, {"partial_json", text}});
  }
  void CallEnd(Exchange& exchange, size_t, size_t, const ChatCall&) override { Close(exchange); }
  void ChoiceEnd(Exchange& exchange, size_t, const ChatChoice&) override { Close(exchange); }
  void End(Exchange& exchange, const std::vector<ChatChoice>& choices,
           const Usage& usage) override {
    const ChatChoice& choice = choices.front();
    Event(
        exchange, "message_delta",
        {{"delta", {{"stop_reason", StopReason(choice)}, {"stop_sequence", StopSequence(choice)}}},
         {"usage", UsageOf(usage)}});
    Event(exchange, "message_stop", OrderedJson::object());
    exchange.End();
  }
  void Fail(Exchange& exchange, const Status& status) override {
    const HttpResponse response = Translated(ErrorResponse(status), status.message());
    if (!exchange.answered()) return exchange.Respond(response);
    exchange.Write("event: error\ndata: " + response.body + "\n\n");
    exchange.End();
  }
  void Refuse(Exchange& exchange, const Status& status) override {
    exchange.Respond(Translated(RefusalResponse(status), status.message()));
  }

 private:
  enum class Block { kNone, kThinking, kText, kCall };

  static OrderedJson ThinkingBlock(std::string_view text) {
    return {{"type", "thinking"}, {"thinking", text}, {"signature", ""}};
  }
  static OrderedJson TextBlock(std::string_view text) { return {{"type", "text"}, {"text", text}}; }
  static OrderedJson CallBlock(const ChatCall& call, const std::string& arguments) {
    auto input = ParseOrderedJson(arguments, "arguments");
    // Arguments that broke off are no object.
    const bool object = input.ok() && input->is_object();
    return {{"type", "tool_use"},
            {"id", call.id},
            {"name", call.name},
            {"input", object ? *input : OrderedJson::object()}};
  }
  static OrderedJson StopReason(const ChatChoice& choice) {
    if (choice.finish == FinishReason::kLength) return "max_tokens";
    if (choice.finish == FinishReason::kStopString) return "stop_sequence";
    return choice.calls.empty() ? "end_turn" : "tool_use";
  }
  static OrderedJson StopSequence(const ChatChoice& choice) {
    return choice.stop.empty() ? OrderedJson() : OrderedJson(choice.stop);
  }
  static OrderedJson UsageOf(const Usage& usage) {
    return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", usage.cached_tokens},
            {"output_tokens", usage.answer_tokens}};
  }
  OrderedJson Message(OrderedJson content, OrderedJson stop_reason, OrderedJson stop_sequence,
                      OrderedJson usage) const {
    return {{"id", id_},
            {"type", "message"},
            {"role", "assistant"},
            {"model", model_.id},
            {"content", std::move(content)},
            {"stop_reason", std::move(stop_reason)},
            {"stop_sequence", std::move(stop_sequence)},
            {"usage", std::move(usage)}};
  }

  static void Event(Exchange& exchange, std::string_view type, OrderedJson rest) {
    OrderedJson event = {{"type", type}};
    event.update(rest);
    WriteEvent(exchange, event, type);
  }
  void Start(Exchange& exchange, OrderedJson block) {
    Event(exchange, "content_block_start",
          {{"index", index_}, {"content_block", std::move(block)}});
  }
  void Open(Exchange& exchange, Block kind) {
    if (open_ == kind) return;
    Close(exchange);
    open_ = kind;
    Start(exchange, kind == Block::kThinking ? ThinkingBlock("") : TextBlock(""));
  }
  void Close(Exchange& exchange) {
    if (open_ == Block::kNone) return;
    Event(exchange, "content_block_stop", {{"index", index_}});
    open_ = Block::kNone;
    ++index_;
  }
  void Delta(Exchange& exchange, OrderedJson delta) {
    Event(exchange, "content_block_delta", {{"index", index_}, {"delta", std::move(delta)}});
  }

  const ServedModel& model_;
  const int64_t prompt_tokens_;
  const std::string id_;
  Block open_ = Block::kNone;
  int64_t index_ = 0;
};

}  // namespace

void AnswerMessages(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                    const OrderedJson& body) {
  Fields fields(body);
  const ChatRequest request = ReadRequest(fields, model, body);
  Status status = fields.Finish();
  const Result<ChatPrompt> prompt =
      status.ok() ? MakeChatPrompt(model, request) : Result<ChatPrompt>(status);
  if (!prompt.ok()) {
    return exchange->Respond(Translated(ErrorResponse(prompt.status()), prompt.status().message()));
  }
  auto dialect = std::make_unique<Anthropic>(model, std::ssize(prompt->tokens));
  StartChat(model, std::move(exchange), request, *prompt, std::move(dialect));
}

void AnswerCountTokens(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                       const OrderedJson& body) {
  Fields fields(body);
  ChatRequest request;
  ReadConversation(fields, body, request);
  ReadThinking(fields, request);
  fields.Ignore({"model", "context_management", "betas"});
  const Status status = fields.Finish();
  const Result<ChatPrompt> prompt =
      status.ok() ? MakeChatPrompt(model, request) : Result<ChatPrompt>(status);
  if (!prompt.ok()) {
    return exchange->Respond(Translated(ErrorResponse(prompt.status()), prompt.status().message()));
  }
  RespondJson(*exchange, {{"input_tokens", prompt->tokens.size()}});
}

}  // namespace ringlet
