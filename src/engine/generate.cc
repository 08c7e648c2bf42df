#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <vector>

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
      : options_(options), hooks_(hooks), decoding_(prompt, options, hooks.isa, hooks.token_bytes) {
    out_.cached_tokens = cached;
  }

  Result<Generation> Run() {
    const Clock::time_point begin = Clock::now();
    RINGLET_ASSIGN_OR_RETURN(const bool ready, Prefill());
    out_.prefill_seconds = SecondsSince(begin);
    const Clock::time_point decode_begin = Clock::now();
    if (ready) RINGLET_RETURN_IF_ERROR(Decode());
    out_.decode_seconds = SecondsSince(decode_begin);
    out_.tokens.assign(decoding_.answer().begin(), decoding_.answer().end());
    out_.end_token = decoding_.end_token();
    out_.stop = decoding_.stop();
    out_.finish = ready ? *decoding_.finish() : FinishReason::kCancelled;
    return std::move(out_);
  }

 private:
  // False when cancelled. The last piece's row has been accepted, unless none was wanted.
  Result<bool> Prefill() {
    const int64_t size = decoding_.prompt_size();
    for (int64_t at = out_.cached_tokens; at < size;) {
      if (Cancelled()) return false;
      const int64_t count = std::min(options_.prefill_rows, size - at);
      RINGLET_RETURN_IF_ERROR(Feed(at, count));
      at += count;
      out_.prefill_tokens += count;
      if (hooks_.on_prefill) hooks_.on_prefill(out_.prefill_tokens, size - out_.cached_tokens);
      Show();
    }
    return true;
  }

  Status Decode() {
    while (!decoding_.finished()) {
      if (Cancelled()) {
        decoding_.Cancel(text_);
      } else {
        RINGLET_RETURN_IF_ERROR(Feed(std::ssize(decoding_.tokens()) - 1, 1));
      }
      Show();
    }
    return Status::Ok();
  }

  // Feeds tokens [at, at + count); the row after the last of all is accepted.
  Status Feed(int64_t at, int64_t count) {
    const std::vector<int32_t> tokens(decoding_.tokens().begin() + at,
                                      decoding_.tokens().begin() + at + count);
    const bool last = at + count == std::ssize(decoding_.tokens());
    if (!last || decoding_.finished()) return hooks_.feed(tokens, nullptr);
    Status accepted;
    RINGLET_RETURN_IF_ERROR(hooks_.feed(tokens, [&](std::span<const float> logits) {
      accepted = decoding_.Accept(logits, text_);
    }));
    return accepted;
  }

  void Show() {
    out_.text += text_;
    if (!text_.empty() && hooks_.on_text) hooks_.on_text(text_);
    text_.clear();
  }

  bool Cancelled() const { return hooks_.cancelled && hooks_.cancelled(); }

  const GenerateOptions& options_;
  const GenerateHooks& hooks_;
  Decoding decoding_;
  std::string text_;  // final, not shown yet
  Generation out_;
};

}  // namespace

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
  RINGLET_RETURN_IF_ERROR(CheckGenerateOptions(prompt, options));
  RINGLET_CHECK(cached >= 0 && cached < std::ssize(prompt), "nothing left of the prompt to feed");
  RINGLET_CHECK(options.prefill_rows > 0, "prefill_rows must be positive");
  return Generator(prompt, cached, options, hooks).Run();
}

}  // namespace ringlet
