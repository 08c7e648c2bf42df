#include "engine/decoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace ringlet {

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndToken:
    case FinishReason::kStopString:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Decoding::Decoding(std::span<const int32_t> prompt, const GenerateOptions& options,
                   const IsaChoice& isa, TokenBytes token_bytes)
    : options_(options),
      isa_(isa),
      token_bytes_(std::move(token_bytes)),
      prompt_size_(std::ssize(prompt)),
      tokens_(prompt.begin(), prompt.end()),
      sampler_(options.sampler),
      stream_(options.stop) {
  if (Full()) finish_ = FinishReason::kLength;
}

Status Decoding::Accept(std::span<const float> logits, std::string& text) {
  RINGLET_CHECK(!finished(), "an answer that has ended takes no rows");
  const std::optional<int32_t> drawn = Draw(logits);
  if (!drawn) return NothingDrawn(logits);
  if (std::ranges::find(options_.end_ids, *drawn) != options_.end_ids.end()) {
    end_token_ = *drawn;
    End(FinishReason::kEndToken, text);
    return Status::Ok();
  }
  tokens_.push_back(*drawn);
  if (options_.constraint != nullptr) options_.constraint->Accept(*drawn);
  if (options_.top_logprobs >= 0) {
    logprobs_.push_back(ScoreToken(isa_, logits, *drawn, options_.top_logprobs, options_.vocab));
  }
  stream_.Append(token_bytes_(*drawn), text);
  if (stream_.stopped()) {
    finish_ = FinishReason::kStopString;
  } else if (Full()) {
    End(FinishReason::kLength, text);
  }
  return Status::Ok();
}

Status Decoding::NothingDrawn(std::span<const float> logits) const {
  const auto drawable = logits.first(static_cast<size_t>(
      options_.vocab > 0 ? std::min(options_.vocab, std::ssize(logits)) : std::ssize(logits)));
  const bool sound = std::ranges::any_of(
      drawable, [](float x) { return x > -std::numeric_limits<float>::infinity(); });
  if (!sound) {
    return BadInput(fmt::format("logits after token {}", tokens_.size()), "",
                    "no number above -inf",
                    "at least one: the weights are damaged, or the computation overflowed");
  }
  const std::string_view why = options_.constraint != nullptr
                                   ? "one that both the grammar and the biases allow"
                                   : "one that the biases and min_tokens do not ban";
  return BadInput(fmt::format("answer after token {}", tokens_.size()), "",
                  "no token that may be drawn", why);
}

void Decoding::Cancel(std::string& text) {
  if (!finished()) End(FinishReason::kCancelled, text);
}

std::optional<int32_t> Decoding::Draw(std::span<const float> logits) {
  if (options_.vocab > 0 && options_.vocab < std::ssize(logits)) {
    logits = logits.first(static_cast<size_t>(options_.vocab));
  }
  SampleContext context;
  context.tokens = tokens_;
  context.answer_begin = prompt_size_;
  const bool too_early = std::ssize(answer()) < options_.min_tokens;
  if (options_.ignore_end || too_early) context.banned = options_.end_ids;
  if (options_.constraint != nullptr) context.allowed = options_.constraint->Allowed();
  return sampler_.Sample(logits, context);
}

bool Decoding::Full() const {
  return (options_.max_tokens >= 0 && std::ssize(answer()) >= options_.max_tokens) ||
         (options_.max_length > 0 && std::ssize(tokens_) >= options_.max_length);
}

void Decoding::End(FinishReason reason, std::string& text) {
  finish_ = reason;
  stream_.Finish(text);
}

Status CheckGenerateOptions(std::span<const int32_t> prompt, const GenerateOptions& options) {
  if (prompt.empty()) {
    return BadInput("prompt", "", "no tokens", "at least one token to continue");
  }
  if (options.max_length > 0 && std::ssize(prompt) > options.max_length) {
    return BadInput("prompt", "", fmt::format("{} tokens", prompt.size()),
                    fmt::format("at most {}, the model's longest context", options.max_length));
  }
  return ValidateSamplerOptions(options.sampler, "sampler");
}

}  // namespace ringlet
