#include "cli/session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"
#include "cli/progress.h"

namespace ringlet::cli {

Result<Generation> Session::Answer(std::span<const int32_t> prompt, GenerateOptions options,
                                   const InterruptGuard& interrupt,
                                   std::function<void(std::string_view text)> on_text) {
  const ModelConfig& config = model_.model->config();
  options.end_ids = EndIds(config, text_model_);
  options.vocab = std::min<int64_t>(config.vocab, text_model_.tokenizer().vocab_size());
  options.max_length = config.max_position;

  // The last token is always fed: its logits are not kept.
  const int64_t usable = std::max<int64_t>(std::ssize(prompt) - 1, 0);
  const int64_t cached = std::min(CommonPrefix(prompt, sequence_.tokens()), usable);
  RINGLET_RETURN_IF_ERROR(model_.engine->Rollback(sequence_, cached));

  Progress progress("Reading", ProgressUnit::kTokens, quiet_);
  GenerateHooks hooks;
  hooks.feed = [&](std::span<const int32_t> tokens, const GenerateHooks::LogitsFn& on_logits) {
    Feed feed;
    feed.sequence = &sequence_;
    feed.tokens = tokens;
    feed.rows = on_logits ? LogitRows::kLast : LogitRows::kNone;
    feed.on_logits = [&](int64_t, std::span<const float> logits) { on_logits(logits); };
    return model_.engine->Step(std::span<const Feed>(&feed, 1));
  };
  hooks.isa = model_.engine->context().isa;
  hooks.token_bytes = [&](int32_t id) { return text_model_.TokenBytes(id); };
  hooks.on_text = std::move(on_text);
  hooks.on_prefill = [&](int64_t done, int64_t total) {
    if (done == total) return progress.Finish();
    progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  };
  hooks.cancelled = [&] { return interrupt.Pending(); };
  return Generate(prompt, cached, options, hooks);
}

std::string StatisticsLine(const Generation& generation) {
  return fmt::format(
      "prefill {} tokens in {} ({:.1f}/s), {} reused; decode {} tokens in {} ({:.1f}/s)",
      generation.prefill_tokens, FormatDuration(generation.prefill_seconds),
      generation.PrefillRate(), generation.cached_tokens, generation.tokens.size(),
      FormatDuration(generation.decode_seconds), generation.DecodeRate());
}

}  // namespace ringlet::cli
