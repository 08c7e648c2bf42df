// Engine: computes rows (one token of one sequence each) for any mix of sequences.
//
// The row contract: the logits of a row are a function of the weights and of the tokens up to that
// row. They do not depend on which other rows share the step, on how the tokens were split into
// steps, on the number of threads, or on forks, rollbacks and save/restore (docs/numerics.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/page_slab.h"
#include "engine/sequence.h"
#include "model/model.h"
#include "nn/batch.h"
#include "nn/observer.h"
#include "ops/row_source.h"

namespace ringlet {

// Which rows of a feed produce logits.
enum class LogitRows { kNone, kLast, kAll };

// Tokens to append to one sequence. `on_logits(row, logits)` is called on the calling thread, in
// row order, with vocab() fp32 values valid during the call; row counts within `tokens`.
struct Feed {
  Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;
  LogitRows rows = LogitRows::kLast;
  std::function<void(int64_t row, std::span<const float> logits)> on_logits;
  // Optional: every row after the final norm, hidden() values, likewise; before the logits.
  std::function<void(int64_t row, std::span<const float> hidden)> on_hidden = {};
};

struct EngineOptions {
  int64_t max_step_rows = 512;  // larger feeds are computed in pieces of at most this many rows
  // Where sequences' pages lie, while there is room; null: each sequence's in memory of its own.
  std::shared_ptr<PageSlab> pages = nullptr;
  // Whether sequences keep anchors to roll back to. Each costs an anchor's bytes; without them a
  // rollback beyond the tail computes everything again.
  bool keep_anchors = true;
};

class Engine {
 public:
  // The context's threads and instruction set compute; one engine uses it at a time.
  Engine(std::shared_ptr<const Model> model, std::shared_ptr<Context> context,
         const EngineOptions& options);
  ~Engine();

  const Model& model() const { return *model_; }
  const Context& context() const { return *context_; }

  // An empty sequence for this model.
  Sequence NewSequence() const;

  // Appends every feed's tokens to its sequence; a sequence may appear once. On error (a token id
  // out of range, a position beyond 2^31) nothing has changed.
  Status Step(std::span<const Feed> feeds);

  // `observer` sees the inputs of every matrix from now on; null: nobody does. Changes no result.
  void SetObserver(ActivationObserver* observer);

  // Makes `sequence` hold exactly its first `length` tokens: truncation when the anchor allows it,
  // else a re-run from the nearest retained anchor. The bits equal those of a fresh sequence.
  Status Rollback(Sequence& sequence, int64_t length);

  // Routed experts that some row of a step chose, summed over layers and over every step so far:
  // how many experts' weights were read.
  int64_t experts_read() const;

 private:
  struct Scratch;

  Status CheckFeeds(std::span<const Feed> feeds) const;
  // Computes rows [begin[f], begin[f] + counts[f]) of every feed together and appends their tokens.
  void RunRows(std::span<const Feed> feeds, std::span<const int64_t> begin,
               std::span<const int64_t> counts);
  void EmbedFeeds(std::span<const Feed> feeds, std::span<const int64_t> begin,
                  std::span<const int64_t> counts, Batch& batch);
  void ShowHidden(std::span<const Feed> feeds, std::span<const int64_t> begin,
                  std::span<const int64_t> counts, const RowSource& norm);
  void ComputeLogits(std::span<const Feed> feeds, std::span<const int64_t> begin,
                     std::span<const int64_t> counts);

  std::shared_ptr<const Model> model_;
  std::shared_ptr<Context> context_;
  EngineOptions options_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace ringlet
