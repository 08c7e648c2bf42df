#include "server/load/sample.h"

#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace ringlet {
namespace {

constexpr int kTooManyRequests = 429;

double Seconds(HttpTime from, HttpTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// The member of an object; null for anything else.
const Json& Member(const Json& json, const char* key) {
  static const Json null;
  if (!json.is_object()) return null;
  const auto found = json.find(key);
  return found == json.end() ? null : *found;
}

int64_t Count(const Json& json, const char* key) {
  const Json& value = Member(json, key);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

bool HasText(const Json& json, const char* key) {
  const Json& value = Member(json, key);
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

bool HasText(const Json& chunk) {
  const Json& choices = Member(chunk, "choices");
  if (!choices.is_array() || choices.empty()) return false;
  const Json& delta = Member(choices[0], "delta");
  const Json& calls = Member(delta, "tool_calls");
  return HasText(choices[0], "text") || HasText(delta, "content") ||
         HasText(delta, "reasoning_content") || HasText(delta, "reasoning") ||
         (calls.is_array() && !calls.empty());
}

}  // namespace

std::string ErrorText(std::string_view body) {
  if (const Result<Json> json = ParseJson(body, "body"); json.ok()) {
    const Json& error = Member(*json, "error");
    const Json& message = error.is_string() ? error : Member(error, "message");
    if (message.is_string()) return Quote(message.get_ref<const std::string&>());
  }
  return Quote(body);
}

void SampleReader::OnEvent(const SseEvent& event, HttpTime time) {
  if (event.data == "[DONE]") {
    whole_ = true;
    return;
  }
  const Result<Json> chunk = ParseJson(event.data, "event");
  if (!chunk.ok()) {
    error_ = chunk.status().message();
    return;
  }
  if (!Member(*chunk, "error").is_null()) error_ = ErrorText(event.data);
  if (HasText(*chunk)) OnText(time);
  if (const Json& usage = Member(*chunk, "usage"); usage.is_object()) {
    counted_ = true;
    sample_.prompt_tokens = Count(usage, "prompt_tokens");
    sample_.answer_tokens = Count(usage, "completion_tokens");
    sample_.cached_tokens = Count(Member(usage, "prompt_tokens_details"), "cached_tokens");
  }
}

void SampleReader::OnText(HttpTime time) {
  if (texts_++ == 0) {
    sample_.first_token = Seconds(due_, time);
  } else {
    sample_.gaps.push_back(Seconds(last_text_, time));
  }
  last_text_ = time;
}

std::string SampleReader::Failure(const HttpReply& reply) const {
  if (reply.code != 0 && reply.code != 200) {
    return fmt::format("HTTP {}: {}", reply.code, ErrorText(reply.body));
  }
  if (!reply.status.ok()) return reply.status.message();
  if (!error_.empty()) return error_;
  if (!whole_) return "the stream ended without [DONE]";
  return texts_ == 0 ? "an answer without text" : "";
}

LoadSample SampleReader::Finish(const HttpReply& reply) {
  sample_.latency = Seconds(due_, reply.done);
  sample_.error = Failure(reply);
  if (reply.code == kTooManyRequests) {
    sample_.outcome = LoadSample::Outcome::kRefused;
  } else if (sample_.error.empty()) {
    sample_.outcome = LoadSample::Outcome::kCompleted;
  }
  if (!counted_) sample_.answer_tokens = texts_;
  return std::move(sample_);
}

}  // namespace ringlet
