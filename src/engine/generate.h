// Generate: the loop around one Decoding. Feeds a prompt, then shows and feeds one token at a time
// until something ends the answer. What it needs of a model comes in as functions, so that it runs
// on an Engine as on a script in a test.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/decoding.h"

namespace ringlet {

struct Generation {
  std::vector<int32_t> tokens;  // the answer, without the end token
  std::optional<int32_t> end_token;
  std::string stop;  // the stop string that was found
  std::string text;  // valid UTF-8, without end token and stop string
  FinishReason finish = FinishReason::kLength;
  int64_t cached_tokens = 0;   // of the prompt, already in the sequence
  int64_t prefill_tokens = 0;  // of the prompt, fed
  double prefill_seconds = 0;  // until the first logits
  double decode_seconds = 0;   // from there to the end
  // Tokens per second; 0 when nothing was measured.
  double PrefillRate() const;
  double DecodeRate() const;
};

struct GenerateHooks {
  using LogitsFn = std::function<void(std::span<const float> logits)>;
  // Required: appends tokens to the sequence. When on_logits is set it is called once, during the
  // call, with the row after the last token.
  std::function<Status(std::span<const int32_t> tokens, const LogitsFn& on_logits)> feed;
  // Required: the bytes a token stands for, not necessarily whole characters.
  std::function<std::string(int32_t id)> token_bytes;
  // Computes log-probabilities.
  IsaChoice isa = IsaChoice::Detect();
  // Optional: text as it becomes final, whole characters.
  std::function<void(std::string_view text)> on_text;
  // Optional: prompt tokens fed so far, of how many.
  std::function<void(int64_t done, int64_t total)> on_prefill;
  // Optional: asked before every piece of work; true ends the answer.
  std::function<bool()> cancelled;
};

// Continues `prompt`, of which the sequence behind hooks.feed already holds the first `cached`
// tokens (0 <= cached < prompt.size()). Afterwards the sequence holds the prompt and a prefix of
// the answer: the token drawn last is not fed. Errors: an empty prompt, a prompt longer than
// max_length, options out of range, a row of logits that holds no number, and whatever feed
// returns.
Result<Generation> Generate(std::span<const int32_t> prompt, int64_t cached,
                            const GenerateOptions& options, const GenerateHooks& hooks);

}  // namespace ringlet
