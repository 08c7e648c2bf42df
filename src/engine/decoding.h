// Decoding: one answer in the making. Rows of logits go in one at a time; tokens, text and at last
// a reason to end come out. Knows no engine: the command line's loop (generate.h) and the batcher
// drive it alike, and whoever interrupts it between two rows changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/sampler.h"
#include "engine/text_stream.h"
#include "engine/token_constraint.h"
#include "engine/token_logprobs.h"
#include "ops/isa.h"

namespace ringlet {

struct GenerateOptions {
  SamplerOptions sampler;
  int64_t max_tokens = -1;        // of the answer; -1: no limit
  int64_t max_length = 0;         // of prompt and answer; 0: no limit
  int64_t min_tokens = 0;         // no end token is drawn before so many tokens of the answer
  std::vector<int32_t> end_ids;   // drawing one of these ends the answer
  bool ignore_end = false;        // never draw end_ids instead
  std::vector<std::string> stop;  // the answer ends before the first of these
  int64_t vocab = 0;              // ids from here on are never drawn; 0: every id of the row
  int64_t prefill_rows = 512;     // the prompt is fed in pieces of at most this many tokens
  // Log-probabilities of each token of the answer, and of so many of the likeliest; -1: none.
  int top_logprobs = -1;
  // Null: any token. Of one answer only.
  std::shared_ptr<TokenConstraint> constraint = nullptr;
};

enum class FinishReason { kEndToken, kStopString, kLength, kCancelled };
// "stop" for an end token or stop string, "length", "cancelled".
std::string_view FinishReasonName(FinishReason reason);

class Decoding {
 public:
  // The bytes a token stands for, not necessarily whole characters.
  using TokenBytes = std::function<std::string(int32_t id)>;

  // Options must be valid (CheckGenerateOptions). `isa` computes log-probabilities. An answer of no
  // tokens is finished from the beginning.
  Decoding(std::span<const int32_t> prompt, const GenerateOptions& options, const IsaChoice& isa,
           TokenBytes token_bytes);

  // What the row of logits after the last of tokens() leads to: a token of the answer, or its end.
  // Appends to `text` what became final: valid UTF-8, without end token and stop string. Must not
  // be finished. Errors: a row that holds no number, or no token that may be drawn.
  Status Accept(std::span<const float> logits, std::string& text);
  // Ends the answer where it is.
  void Cancel(std::string& text);

  bool finished() const { return finish_.has_value(); }
  std::optional<FinishReason> finish() const { return finish_; }
  // Prompt and answer, without an end token.
  std::span<const int32_t> tokens() const { return tokens_; }
  std::span<const int32_t> answer() const {
    return std::span(tokens_).subspan(static_cast<size_t>(prompt_size_));
  }
  int64_t prompt_size() const { return prompt_size_; }
  std::optional<int32_t> end_token() const { return end_token_; }
  // The stop string that was found, or empty.
  const std::string& stop() const { return stream_.stop(); }
  // One per token of the answer, if asked for.
  const std::vector<TokenLogprobs>& logprobs() const { return logprobs_; }

 private:
  std::optional<int32_t> Draw(std::span<const float> logits);
  Status NothingDrawn(std::span<const float> logits) const;
  bool Full() const;
  void End(FinishReason reason, std::string& text);

  GenerateOptions options_;
  IsaChoice isa_;
  TokenBytes token_bytes_;
  int64_t prompt_size_;
  std::vector<int32_t> tokens_;
  Sampler sampler_;
  TextStream stream_;
  std::optional<FinishReason> finish_;
  std::optional<int32_t> end_token_;
  std::vector<TokenLogprobs> logprobs_;
};

// Whether `options` can continue `prompt`: something to continue, within max_length, sampler
// options in range.
Status CheckGenerateOptions(std::span<const int32_t> prompt, const GenerateOptions& options);

}  // namespace ringlet
