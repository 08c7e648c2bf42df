// One sequence on a loaded model: continues a prompt from whatever part of it is already computed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "engine/generate.h"
#include "model/text_model.h"

namespace ringlet::cli {

class Session {
 public:
  Session(LoadedModel model, TextModel text_model, const GlobalOptions& globals)
      : model_(std::move(model)),
        text_model_(std::move(text_model)),
        sequence_(model_.engine->NewSequence()),
        quiet_(globals.quiet) {}

  // Keeps the longest common beginning of `prompt` and the sequence, feeds the rest (with a
  // progress bar when it is long) and generates. Ctrl-C, while `interrupt` exists, ends the answer.
  // End ids, vocabulary and longest context are the model's.
  Result<Generation> Answer(std::span<const int32_t> prompt, GenerateOptions options,
                            const InterruptGuard& interrupt,
                            std::function<void(std::string_view text)> on_text);

  const TextModel& text_model() const { return text_model_; }
  const LoadedModel& model() const { return model_; }
  int64_t length() const { return sequence_.length(); }

 private:
  LoadedModel model_;
  TextModel text_model_;
  Sequence sequence_;
  bool quiet_;
};

// "prefill 23 tokens in 0.1 s (190.2/s), 100 reused; decode 120 tokens in 2.1 s (57.1/s)".
std::string StatisticsLine(const Generation& generation);

}  // namespace ringlet::cli
