#include "server/api/served_model.h"

#include <chrono>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "io/utf8.h"
#include "server/chat/tool_syntax.h"

namespace ringlet {

JobRequest ServedModel::MakeJob(std::vector<int32_t> prompt, GenerateOptions options) const {
  JobRequest job;
  job.prompt = std::move(prompt);
  job.options = std::move(options);
  job.options.end_ids = end_ids;
  job.options.vocab = vocab;
  job.options.max_length = context;
  job.token_bytes = [this](int32_t token) { return AnswerBytes(token); };
  return job;
}

std::string ServedModel::AnswerBytes(int32_t token) const {
  std::string bytes = text.TokenBytes(token);
  if (!bytes.empty()) return bytes;
  const std::string_view special = text.tokenizer().TokenBytes(token);
  for (const server::ToolSyntaxSpec& syntax : server::ToolSyntaxes()) {
    const bool marks = special == syntax.begin[0] || special == syntax.begin[1] ||
                       (special.size() > 1 && special == syntax.end);
    if (marks) return std::string(special);
  }
  return bytes;
}

std::string ServedModel::TokenText(int32_t token) const {
  const std::string_view bytes = text.tokenizer().TokenBytes(token);
  if (ValidUtf8Prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string out = "bytes:";
  for (const char byte : bytes) out += fmt::format("\\x{:02X}", static_cast<uint8_t>(byte));
  return out;
}

std::string NewId(std::string_view prefix) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::random_device device;
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kLetters[device() % kLetters.size()];
  return id;
}

int64_t UnixSeconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace ringlet
