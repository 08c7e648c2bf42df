#include "server/api/chat_job.h"

#include <utility>

#include "server/api/output_fields.h"
#include "server/chat/tool_syntax.h"

namespace ringlet {
namespace {

// The prompt up to the end of the last message's text, so that the answer goes on with it.
Result<std::string> CutAfterLastMessage(std::string prompt, const OrderedJson& messages) {
  const OrderedJson& last = messages.back();
  std::string text = last.value("content", OrderedJson("")).is_string()
                         ? last.value("content", std::string())
                         : std::string();
  // Templates trim.
  const size_t first = text.find_first_not_of(" \t\r\n");
  const size_t end = text.find_last_not_of(" \t\r\n");
  text = first == std::string::npos ? "" : text.substr(first, end + 1 - first);
  const size_t at = text.empty() ? std::string::npos : prompt.rfind(text);
  if (at == std::string::npos) {
    return BadInput("continue_final_message", "", "a last message that the prompt does not show",
                    "one with a text");
  }
  return prompt.substr(0, at + text.size());
}

}  // namespace

Result<std::string> RenderChat(const ServedModel& model, const ChatRequest& request) {
  if (!model.text.has_template()) {
    return Status(StatusCode::kUnsupported,
                  "messages: the model has no chat template; /v1/completions continues plain text");
  }
  ChatInput input;
  input.messages = request.messages;
  input.tools = request.tools.tools;
  input.extra = request.variables;
  input.add_generation_prompt = !request.continue_final;
  RINGLET_ASSIGN_OR_RETURN(std::string prompt, model.text.Render(std::move(input)));
  if (!request.continue_final) return prompt;
  return CutAfterLastMessage(std::move(prompt), request.messages);
}

Result<ChatPrompt> MakeChatPrompt(const ServedModel& model, const ChatRequest& request) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, RenderChat(model, request));
  ChatPrompt prompt;
  RINGLET_ASSIGN_OR_RETURN(prompt.tokens, model.text.EncodeRendered(text));
  prompt.format.thinking_open = server::PromptOpensThinking(text);
  prompt.format.parse_tools = request.tools.tools.is_array();
  prompt.format.tools = server::DetectToolSyntax(model.text.template_source());
  prompt.format.tool_list = request.tools.tools;
  return prompt;
}

Result<std::vector<JobRequest>> MakeChatJobs(const ServedModel& model, const ChatRequest& request,
                                             const ChatPrompt& prompt) {
  std::vector<JobRequest> jobs;
  for (int64_t i = 0; i < request.n; ++i) {
    GenerateOptions options = request.options;
    options.sampler.seed += static_cast<uint64_t>(i);
    RINGLET_ASSIGN_OR_RETURN(options.constraint, MakeConstraint(model, request, prompt.format));
    jobs.push_back(model.MakeJob(prompt.tokens, std::move(options)));
  }
  return jobs;
}

void StartChat(const ServedModel& model, std::shared_ptr<Exchange> exchange,
               const ChatRequest& request, const ChatPrompt& prompt,
               std::unique_ptr<ChatDialect> dialect) {
  Result<std::vector<JobRequest>> jobs = MakeChatJobs(model, request, prompt);
  if (!jobs.ok()) return dialect->Refuse(*exchange, jobs.status());
  const auto n = static_cast<size_t>(request.n);
  auto writer = std::make_unique<ChatWriter>(std::move(dialect), n, prompt.format, request.stream);
  StartAnswers(model, std::move(exchange), std::move(jobs).value(), std::vector<size_t>(n, 0),
               std::move(writer));
}

}  // namespace ringlet
