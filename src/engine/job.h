// Job: one answer that the batcher is asked for, and how its caller hears of it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/decoding.h"

namespace ringlet {

using JobId = uint64_t;

struct JobRequest {
  std::vector<int32_t> prompt;
  GenerateOptions options;
  Decoding::TokenBytes token_bytes;
  // Also the log-probability of each token of the prompt but the first, with
  // options.top_logprobs of the likeliest. Nothing is reused: cached tokens have no logits.
  bool score_prompt = false;
  // Also the mean over the prompt of the final norm's rows. Nothing is reused.
  bool mean_hidden = false;
};

struct JobStatistics {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;    // of the prompt, not computed when the job first ran
  int64_t computed_tokens = 0;  // all rows, those computed again after a preemption too
  int64_t preemptions = 0;
  double queue_seconds = 0;    // until it first ran
  double prefill_seconds = 0;  // from there to the first token
  double decode_seconds = 0;   // from there to the end
};

// Called by the thread that runs the batcher, in order; must be quick. The decoding is valid during
// the call.
class JobListener {
 public:
  virtual ~JobListener() = default;
  // `done` of the prompt's tokens are computed or were reused. Not called for short prompts' only
  // piece.
  virtual void OnPrompt(int64_t /*done*/, const JobStatistics& /*statistics*/) {}
  // A token more; `text` is what became final by it, possibly nothing.
  virtual void OnToken(std::string_view /*text*/, const Decoding& /*decoding*/) {}
  // The last call. When `status` is an error the answer ends where it was; `text` as above.
  struct End {
    const Status& status;
    std::string_view text;
    const Decoding& decoding;
    const JobStatistics& statistics;
    const std::vector<TokenLogprobs>& prompt_scores;  // of prompt[1..], if asked for
    const std::vector<double>& mean_hidden;           // if asked for
  };
  virtual void OnEnd(const End& end) = 0;
};

}  // namespace ringlet
