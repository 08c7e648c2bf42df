#include "server/api/sessions.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/session_file.h"
#include "server/api/answers.h"
#include "server/api/chat_completions.h"
#include "server/api/fields.h"
#include "server/api/prompts.h"
#include "server/api/stream_events.h"

namespace ringlet {
namespace {

constexpr std::string_view kSuffix = ".session";
constexpr size_t kMaxName = 64;

bool IsName(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxName && name[0] != '.' &&
         std::ranges::all_of(name, fits);
}

// False, and answered, when the server keeps no sessions.
bool KeepsSessions(const ServedModel& model, Exchange& exchange) {
  if (!model.session_directory.empty()) return true;
  exchange.Respond(HttpError(404,
                             "sessions: found no directory for them, expected the server to "
                             "be started with --session-dir"));
  return false;
}

std::string PathOf(const ServedModel& model, std::string_view name) {
  return fmt::format("{}/{}{}", model.session_directory, name, kSuffix);
}

std::string ReadName(Fields& fields) {
  const std::string name = fields.String("name").value_or("");
  if (!IsName(name)) {
    fields.Fail(
        "name", name.empty() ? "nothing" : "another text",
        fmt::format("1 to {} letters, digits and -_. that do not begin with a dot", kMaxName));
  }
  return name;
}

// The tokens of a conversation or a prompt, as a request for an answer would have them.
std::vector<int32_t> ReadBeginning(Fields& fields, const ServedModel& model,
                                   const OrderedJson& body) {
  if (body.contains("messages")) {
    OrderedJson request = body;
    request.erase("name");
    for (const auto& [key, value] : request.items()) fields.Ignore({key});
    auto tokens = ChatTokens(model, request);
    if (tokens.ok()) return std::move(tokens).value();
    fields.Fail("messages", tokens.status());
    return {};
  }
  auto prompts = ReadPrompts(fields, model, "prompt");
  if (prompts.size() == 1) return std::move(prompts.front());
  if (!fields.failed()) fields.Fail("prompt", "several", "one");
  return {};
}

}  // namespace

void ListSessions(const ServedModel& model, const std::shared_ptr<Exchange>& exchange) {
  if (!KeepsSessions(model, *exchange)) return;
  OrderedJson sessions = OrderedJson::array();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(model.session_directory, error)) {
    const std::string file = entry.path().filename();
    if (!file.ends_with(kSuffix)) continue;
    sessions.push_back({{"name", file.substr(0, file.size() - kSuffix.size())},
                        {"bytes", entry.file_size(error)}});
  }
  RespondJson(*exchange, {{"sessions", std::move(sessions)}});
}

void SaveConversation(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body) {
  if (!KeepsSessions(model, *exchange)) return;
  Fields fields(body);
  const std::string name = ReadName(fields);
  const std::vector<int32_t> tokens = ReadBeginning(fields, model, body);
  if (Refused(fields, *exchange)) return;
  Sequence sequence;
  const Engine* engine = nullptr;
  model.batches->Run([&](Batcher& batcher) {
    sequence = batcher.Recall(tokens);
    engine = &batcher.engine();
  });
  const int64_t length = sequence.length();
  // What it shares with others is not written to; answers go on meanwhile.
  const Status saved = SaveSession(*engine, sequence, PathOf(model, name));
  model.batches->Run([&](Batcher&) { sequence = Sequence(); });
  if (!saved.ok()) return exchange->Respond(HttpError(500, saved.message()));
  RespondJson(*exchange, {{"name", name}, {"tokens", tokens.size()}, {"saved_tokens", length}});
}

void RestoreConversation(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                         const OrderedJson& body) {
  if (!KeepsSessions(model, *exchange)) return;
  Fields fields(body);
  const std::string name = ReadName(fields);
  if (Refused(fields, *exchange)) return;
  Result<int64_t> restored = int64_t{0};
  model.batches->Run(
      [&](Batcher& batcher) { restored = batcher.RestoreFrom(PathOf(model, name)); });
  if (!restored.ok()) return exchange->Respond(ErrorResponse(restored.status(), "name"));
  RespondJson(*exchange, {{"name", name}, {"restored_tokens", *restored}});
}

void DeleteSession(const ServedModel& model, const std::shared_ptr<Exchange>& exchange,
                   const std::string& name) {
  if (!KeepsSessions(model, *exchange)) return;
  std::error_code error;
  if (!IsName(name) || !std::filesystem::remove(PathOf(model, name), error)) {
    return exchange->Respond(HttpError(404, "name: found no session of this name"));
  }
  RespondJson(*exchange, {{"name", name}, {"deleted", true}});
}

}  // namespace ringlet
