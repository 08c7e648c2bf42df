#include "server/api/responses.h"

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

void ReadConversation(Fields& fields, const OrderedJson& body, ChatRequest& request) {
  fields.Ignore({"input", "instructions", "tools", "tool_choice", "parallel_tool_calls"});
  auto prompt = server::PromptOfResponses(body, "body");
  if (!prompt.ok()) return fields.Fail("input", prompt.status());
  request.messages = std::move(prompt->messages);
  request.tools = std::move(prompt->tools);
}

void ReadText(Fields& fields, const ServedModel& model, ChatRequest& request) {
  const OrderedJson* text = fields.Object("text");
  if (text == nullptr) return;
  Fields inner(*text, "text");
  const OrderedJson* format = inner.Object("format");
  inner.Ignore({"verbosity"});
  if (const Status status = inner.Finish(); !status.ok()) return fields.Fail("text", status);
  if (format != nullptr) ReadFormat(fields, model, "text.format", *format, request);
}

void ReadReasoning(Fields& fields, const ServedModel& model, ChatRequest& request) {
  const OrderedJson* reasoning = fields.Object("reasoning");
  if (reasoning == nullptr) return;
  Fields inner(*reasoning, "reasoning");
  const auto effort = inner.OneOf("effort", {"none", "minimal", "low", "medium", "high", "xhigh"});
  inner.Ignore({"summary", "generate_summary"});
  if (const Status status = inner.Finish(); !status.ok()) return fields.Fail("reasoning", status);
  if (effort) ApplyEffort(model, *effort, request);
}

ChatRequest ReadRequest(Fields& fields, const ServedModel& model, const OrderedJson& body) {
  ChatRequest request;
  ReadConversation(fields, body, request);
  request.options = ReadSampling(fields, model);
  request.options.max_tokens = fields.Integer("max_output_tokens", 1, kMaxTokens).value_or(-1);
  request.stream = fields.Bool("stream").value_or(false);
  ReadText(fields, model, request);
  ReadReasoning(fields, model, request);
  if (fields.Bool("background").value_or(false)) {
    fields.Fail("background", "true", "false: answers are not stored");
  }
  for (const char* key : {"previous_response_id", "conversation"}) {
    if (fields.Any(key) == nullptr) continue;
    fields.Fail(key, "an id", "nothing: answers are not stored, send the whole conversation");
  }
  if (const auto truncation = fields.OneOf("truncation", {"auto", "disabled"});
      truncation == "auto") {
    fields.Fail("truncation", "auto", "disabled: nothing is left out of a conversation");
  }
  fields.Ignore({"model", "user", "store", "metadata", "service_tier", "include", "max_tool_calls",
                 "safety_identifier", "prompt_cache_key", "stream_options", "top_logprobs"});
  return request;
}

class Responses : public ChatDialect {
 public:
  Responses(const ServedModel& model, const ChatRequest& request, const OrderedJson& body)
      : model_(model), request_(request), id_(NewId("resp_")), created_(UnixSeconds()) {
    for (const char* key : {"instructions", "metadata", "text", "reasoning", "tool_choice"}) {
      echoed_[key] = body.value(key, OrderedJson());
    }
    if (echoed_["tool_choice"].is_null()) echoed_["tool_choice"] = "auto";
    if (echoed_["text"].is_null()) echoed_["text"] = {{"format", {{"type", "text"}}}};
    echoed_["tools"] = body.value("tools", OrderedJson::array());
  }

  OrderedJson Body(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    const ChatChoice& choice = choices.front();
    OrderedJson output = OrderedJson::array();
    if (!choice.reasoning.empty()) output.push_back(ReasoningItem(NewId("rs_"), choice.reasoning));
    if (!choice.content.empty() || choice.calls.empty()) {
      output.push_back(MessageItem(NewId("msg_"), choice.content, "completed"));
    }
    for (const ChatCall& call : choice.calls) output.push_back(CallItem(NewId("fc_"), call, true));
    return Whole(std::move(output), &choice, &usage);
  }

  void Begin(Exchange& exchange) override {
    BeginEvents(exchange);
    const OrderedJson response = Whole(OrderedJson::array(), nullptr, nullptr);
    Event(exchange, "response.created", {{"response", response}});
    Event(exchange, "response.in_progress", {{"response", response}});
  }
  void Reasoning(Exchange& exchange, size_t, std::string_view text) override {
    Open(exchange, Item::kReasoning);
    text_ += text;
    PartEvent(exchange, "response.reasoning_text.delta", {{"delta", text}});
  }
  void Content(Exchange& exchange, size_t, std::string_view text) override {
    Open(exchange, Item::kMessage);
    text_ += text;
    PartEvent(exchange, "response.output_text.delta",
              {{"delta", text}, {"logprobs", OrderedJson::array()}});
  }
  void CallBegin(Exchange& exchange, size_t, size_t, const ChatCall& begun) override {
    Close(exchange);
    open_ = Item::kCall;
    item_ = NewId("fc_");
    Event(exchange, "response.output_item.added",
          {{"output_index", output_.size()}, {"item", CallItem(item_, begun, false)}});
  }
  void CallArguments(Exchange& exchange, size_t, size_t, std::string_view text) override {
    Event(exchange, "response.function_call_arguments.delta",
          {{"item_id", item_}, {"output_index", output_.size()}, {"delta", text}});
  }
  void CallEnd(Exchange& exchange, size_t, size_t, const ChatCall& call) override {
    Event(exchange, "response.function_call_arguments.done",
          {{"item_id", item_},
           {"output_index", output_.size()},
           {"name", call.name},
           {"arguments", call.arguments}});
    Done(exchange, CallItem(item_, call, true));
  }
  void ChoiceEnd(Exchange& exchange, size_t, const ChatChoice&) override { Close(exchange); }
  void End(Exchange& exchange, const std::vector<ChatChoice>& choices,
           const Usage& usage) override {
    const ChatChoice& choice = choices.front();
    const bool cut = choice.finish == FinishReason::kLength;
    Event(exchange, cut ? "response.incomplete" : "response.completed",
          {{"response", Whole(output_, &choice, &usage)}});
    exchange.End();
  }
  void Fail(Exchange& exchange, const Status& status) override {
    if (!exchange.answered()) return exchange.Respond(ErrorResponse(status));
    OrderedJson response = Whole(output_, nullptr, nullptr);
    response["status"] = "failed";
    response["error"] = {{"code", "server_error"}, {"message", status.message()}};
    Event(exchange, "response.failed", {{"response", std::move(response)}});
    exchange.End();
  }
  void Refuse(Exchange& exchange, const Status& status) override {
    exchange.Respond(RefusalResponse(status));
  }

 private:
  enum class Item { kNone, kReasoning, kMessage, kCall };

  static OrderedJson TextPart(std::string_view text) {
    return {{"type", "output_text"},
            {"text", text},
            {"annotations", OrderedJson::array()},
            {"logprobs", OrderedJson::array()}};
  }
  static OrderedJson ReasoningPart(std::string_view text) {
    return {{"type", "reasoning_text"}, {"text", text}};
  }
  static OrderedJson ReasoningItem(const std::string& id, std::string_view text) {
    return {{"type", "reasoning"},
            {"id", id},
            {"summary", OrderedJson::array()},
            {"content", OrderedJson::array({ReasoningPart(text)})}};
  }
  static OrderedJson MessageItem(const std::string& id, std::string_view text,
                                 std::string_view status) {
    return {{"type", "message"},
            {"id", id},
            {"status", status},
            {"role", "assistant"},
            {"content", OrderedJson::array({TextPart(text)})}};
  }
  static OrderedJson CallItem(const std::string& id, const ChatCall& call, bool whole) {
    return {{"type", "function_call"},
            {"id", id},
            {"call_id", call.id},
            {"name", call.name},
            {"arguments", whole ? call.arguments : ""},
            {"status", whole ? "completed" : "in_progress"}};
  }

  int64_t ReasoningTokens(const ChatChoice& choice) const {
    if (choice.reasoning.empty()) return 0;
    const auto ids = model_.text.tokenizer().Encode(choice.reasoning, SpecialTokens::kText);
    return ids.ok() ? std::ssize(*ids) : 0;
  }

  // Without a choice: as far as it has come.
  OrderedJson Whole(OrderedJson output, const ChatChoice* choice, const Usage* usage) const {
    const bool cut = choice != nullptr && choice->finish == FinishReason::kLength;
    OrderedJson json = {{"id", id_}, {"object", "response"}, {"created_at", created_}};
    json["status"] = choice == nullptr ? "in_progress" : cut ? "incomplete" : "completed";
    json["error"] = nullptr;
    json["incomplete_details"] = cut ? OrderedJson{{"reason", "max_output_tokens"}} : OrderedJson();
    json["model"] = model_.id;
    json["output"] = std::move(output);
    json["parallel_tool_calls"] = request_.tools.choice.parallel;
    json["previous_response_id"] = nullptr;
    json["store"] = false;
    json["truncation"] = "disabled";
    json["temperature"] = request_.options.sampler.temperature;
    json["top_p"] = request_.options.sampler.top_p;
    json["max_output_tokens"] =
        request_.options.max_tokens >= 0 ? OrderedJson(request_.options.max_tokens) : OrderedJson();
    json.update(echoed_);
    json["usage"] = nullptr;
    if (usage == nullptr) return json;
    json["usage"] = {{"input_tokens", usage->prompt_tokens},
                     {"input_tokens_details", {{"cached_tokens", usage->cached_tokens}}},
                     {"output_tokens", usage->answer_tokens},
                     {"output_tokens_details", {{"reasoning_tokens", ReasoningTokens(*choice)}}},
                     {"total_tokens", usage->prompt_tokens + usage->answer_tokens}};
    return json;
  }

  void Event(Exchange& exchange, std::string_view type, OrderedJson rest) {
    OrderedJson event = {{"type", type}, {"sequence_number", sequence_++}};
    event.update(rest);
    WriteEvent(exchange, event, type);
  }
  void PartEvent(Exchange& exchange, std::string_view type, OrderedJson rest) {
    OrderedJson event = {
        {"item_id", item_}, {"output_index", output_.size()}, {"content_index", 0}};
    event.update(rest);
    Event(exchange, type, std::move(event));
  }
  void Open(Exchange& exchange, Item kind) {
    if (open_ == kind) return;
    Close(exchange);
    open_ = kind;
    text_.clear();
    const bool message = kind == Item::kMessage;
    item_ = NewId(message ? "msg_" : "rs_");
    OrderedJson item = message ? MessageItem(item_, "", "in_progress") : ReasoningItem(item_, "");
    item["content"] = OrderedJson::array();
    Event(exchange, "response.output_item.added",
          {{"output_index", output_.size()}, {"item", std::move(item)}});
    PartEvent(exchange, "response.content_part.added",
              {{"part", message ? TextPart("") : ReasoningPart("")}});
  }
  void Close(Exchange& exchange) {
    if (open_ != Item::kReasoning && open_ != Item::kMessage) return;
    const bool message = open_ == Item::kMessage;
    OrderedJson done = {{"text", text_}};
    if (message) done["logprobs"] = OrderedJson::array();
    PartEvent(exchange, message ? "response.output_text.done" : "response.reasoning_text.done",
              std::move(done));
    PartEvent(exchange, "response.content_part.done",
              {{"part", message ? TextPart(text_) : ReasoningPart(text_)}});
    Done(exchange, message ? MessageItem(item_, text_, "completed") : ReasoningItem(item_, text_));
  }
  void Done(Exchange& exchange, OrderedJson item) {
    Event(exchange, "response.output_item.done",
          {{"output_index", output_.size()}, {"item", item}});
    output_.push_back(std::move(item));
    open_ = Item::kNone;
  }

  const ServedModel& model_;
  const ChatRequest request_;
  const std::string id_;
  const int64_t created_;
  OrderedJson echoed_;
  int64_t sequence_ = 0;
  Item open_ = Item::kNone;
  std::string item_;  // the open item's id
  std::string text_;  // and its text so far
  OrderedJson output_ = OrderedJson::array();
};

}  // namespace

void AnswerResponses(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                     const OrderedJson& body) {
  Fields fields(body);
  const ChatRequest request = ReadRequest(fields, model, body);
  const Status status = fields.Finish();
  const Result<ChatPrompt> prompt =
      status.ok() ? MakeChatPrompt(model, request) : Result<ChatPrompt>(status);
  if (!prompt.ok()) return exchange->Respond(ErrorResponse(prompt.status(), fields.param()));
  auto dialect = std::make_unique<Responses>(model, request, body);
  StartChat(model, std::move(exchange), request, *prompt, std::move(dialect));
}

}  // namespace ringlet
