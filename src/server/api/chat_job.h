// From the messages of a request to a job: what the endpoints for chat have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "engine/decoding.h"
#include "server/api/chat_writer.h"
#include "server/api/served_model.h"
#include "server/chat/output_parser.h"
#include "server/chat/tools.h"

namespace ringlet {

// What every endpoint for chat reads from its own fields.
struct ChatRequest {
  OrderedJson messages;  // as templates see them
  server::ToolSettings tools;
  OrderedJson variables;        // more of the template's: enable_thinking, ...
  bool continue_final = false;  // the answer goes on with the last message
  GenerateOptions options;
  GrammarCache::Matcher grammar;  // that the content is held to, or null
  int64_t thinking_budget = -1;   // tokens of reasoning at most; -1: no limit
  int64_t n = 1;
  bool stream = false;
};

struct ChatPrompt {
  std::vector<int32_t> tokens;
  server::OutputFormat format;
};

// Errors: the model has no chat template, or the template refuses the messages.
Result<ChatPrompt> MakeChatPrompt(const ServedModel& model, const ChatRequest& request);

// The text of the prompt.
Result<std::string> RenderChat(const ServedModel& model, const ChatRequest& request);

// The jobs of `request`, one for each of its n answers.
Result<std::vector<JobRequest>> MakeChatJobs(const ServedModel& model, const ChatRequest& request,
                                             const ChatPrompt& prompt);

// Submits the request and lets `dialect` answer, errors too.
void StartChat(const ServedModel& model, std::shared_ptr<Exchange> exchange,
               const ChatRequest& request, const ChatPrompt& prompt,
               std::unique_ptr<ChatDialect> dialect);

}  // namespace ringlet
