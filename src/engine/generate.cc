#include "engine/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/text_stream.h"

namespace ringlet {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Generator {
 public:
  Generator(std::span<const int32_t> prompt, int64_t cached, const GenerateOptions& options,
            const GenerateHooks& hooks)
      : options_(options),
        hooks_(hooks),
        prompt_size_(std::ssize(prompt)),
        tokens_(prompt.begin(), prompt.end()),
        sampler_(options.sampler),
        stream_(options.stop) {
    out_.cached_tokens = cached;
  }

  Result<Generation> Run() {
    const Clock::time_point begin = Clock::now();
    RINGLET_ASSIGN_OR_RETURN(const bool ready, Prefill());
    out_.prefill_seconds = SecondsSince(begin);
    const Clock::time_point decode_begin = Clock::now();
    if (ready) {
      RINGLET_RETURN_IF_ERROR(Decode());
    } else {
      out_.finish = FinishReason::kCancelled;
    }
    if (out_.finish != FinishReason::kStopString) {
      Show([this](std::string& text) { stream_.Finish(text); });
    }
    out_.decode_seconds = SecondsSince(decode_begin);
    return std::move(out_);
  }

 private:
  // False when cancelled. Otherwise next_ holds the first draw, unless no token may be drawn.
  Result<bool> Prefill() {
    const std::span<const int32_t> prompt(tokens_);
    for (int64_t at = out_.cached_tokens; at < prompt_size_;) {
      if (Cancelled()) return false;
      const int64_t count = std::min(options_.prefill_rows, prompt_size_ - at);
      RINGLET_RETURN_IF_ERROR(
          Feed(prompt.subspan(at, count), at + count == prompt_size_ && !Full()));
      at += count;
      out_.prefill_tokens += count;
      if (hooks_.on_prefill) {
        hooks_.on_prefill(out_.prefill_tokens, prompt_size_ - out_.cached_tokens);
      }
    }
    return true;
  }

  Status Decode() {
    while (true) {
      if (Full()) return Finish(FinishReason::kLength);
      if (!next_) return NoDistribution();
      const int32_t id = *next_;
      if (std::find(options_.end_ids.begin(), options_.end_ids.end(), id) !=
          options_.end_ids.end()) {
        out_.end_token = id;
        return Finish(FinishReason::kEndToken);
      }
      tokens_.push_back(id);
      out_.tokens.push_back(id);
      Show([&](std::string& text) { stream_.Append(hooks_.token_bytes(id), text); });
      if (stream_.stopped()) {
        out_.stop = stream_.stop();
        return Finish(FinishReason::kStopString);
      }
      if (Full()) return Finish(FinishReason::kLength);
      if (Cancelled()) return Finish(FinishReason::kCancelled);
      RINGLET_RETURN_IF_ERROR(Feed(std::span<const int32_t>(tokens_).last(1), /*draw=*/true));
    }
  }

  // Feeds tokens; with `draw`, next_ becomes the draw from the row after them.
  Status Feed(std::span<const int32_t> tokens, bool draw) {
    if (!draw) return hooks_.feed(tokens, nullptr);
    return hooks_.feed(tokens, [this](std::span<const float> logits) {
      SampleContext context;
      context.tokens = tokens_;
      context.answer_begin = prompt_size_;
      if (options_.ignore_end) context.banned = options_.end_ids;
      if (options_.vocab > 0 && options_.vocab < std::ssize(logits)) {
        logits = logits.first(options_.vocab);
      }
      next_ = sampler_.Sample(logits, context);
    });
  }

  template <typename Fill>
  void Show(Fill&& fill) {
    std::string text;
    fill(text);
    out_.text += text;
    if (!text.empty() && hooks_.on_text) hooks_.on_text(text);
  }

  bool Full() const {
    return (options_.max_tokens >= 0 && std::ssize(out_.tokens) >= options_.max_tokens) ||
           (options_.max_length > 0 && std::ssize(tokens_) >= options_.max_length);
  }

  bool Cancelled() const { return hooks_.cancelled && hooks_.cancelled(); }

  Status Finish(FinishReason reason) {
    out_.finish = reason;
    return Status::Ok();
  }

  Status NoDistribution() const {
    return Status(
        StatusCode::kInvalidInput,
        fmt::format("logits after token {}: found no number above -inf, expected at least "
                    "one: the weights are damaged, or the computation overflowed",
                    tokens_.size()));
  }

  const GenerateOptions& options_;
  const GenerateHooks& hooks_;
  const int64_t prompt_size_;
  std::vector<int32_t> tokens_;  // prompt and answer
  Sampler sampler_;
  TextStream stream_;
  std::optional<int32_t> next_;
  Generation out_;
};

}  // namespace

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

double Generation::PrefillRate() const {
  return prefill_seconds > 0 ? static_cast<double>(prefill_tokens) / prefill_seconds : 0;
}

// The first token comes out of the prefill, so the time holds one computation fewer than tokens,
// plus one that ended in a token that is not counted.
double Generation::DecodeRate() const {
  const size_t steps = tokens.size() + (end_token ? 1 : 0);
  return steps > 1 && decode_seconds > 0 ? static_cast<double>(steps - 1) / decode_seconds : 0;
}

Result<Generation> Generate(std::span<const int32_t> prompt, int64_t cached,
                            const GenerateOptions& options, const GenerateHooks& hooks) {
  if (prompt.empty()) {
    return BadInput("prompt", "", "no tokens", "at least one token to continue");
  }
  if (options.max_length > 0 && std::ssize(prompt) > options.max_length) {
    return BadInput("prompt", "", fmt::format("{} tokens", prompt.size()),
                    fmt::format("at most {}, the model's longest context", options.max_length));
  }
  RINGLET_RETURN_IF_ERROR(ValidateSamplerOptions(options.sampler, "sampler"));
  RINGLET_CHECK(cached >= 0 && cached < std::ssize(prompt), "nothing left of the prompt to feed");
  RINGLET_CHECK(options.prefill_rows > 0, "prefill_rows must be positive");
  return Generator(prompt, cached, options, hooks).Run();
}

}  // namespace ringlet
