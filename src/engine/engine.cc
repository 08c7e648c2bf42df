#include "engine/engine.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "engine/sequence_state.h"
#include "model/embed.h"
#include "model/packed.h"
#include "nn/block.h"
#include "ops/norm/norm.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxPosition = int64_t{1} << 31;
// Rows whose logits are computed together: bounds memory at large vocabularies.
constexpr int64_t kLogitRows = 64;

int64_t RoundDown(int64_t position) { return position / kBlockPositions * kBlockPositions; }

}  // namespace

struct Engine::Scratch {
  Workspace work;
  AlignedBuffer<float> x;
  AlignedBuffer<float> cos_sin;
  AlignedBuffer<float> logits;
  Activations head_input;
  // Chunks that begin and end within a step: one layer's block each, reused by every layer.
  std::vector<std::unique_ptr<PositionBlock>> chunks;
  // Per piece: what its BatchSpan points into.
  std::vector<std::vector<LayeredBlock>> pages;
  std::vector<std::vector<LayeredBlock>> piece_chunks;
};

namespace {

// Makes the storage for `count` rows from the sequence's end and fills the span's pointers. The
// sequence's length is unchanged; its anchor and tail are replaced by FinishPiece.
struct PieceStorage {
  std::shared_ptr<PositionBlock> next_tail;  // tail after the piece; null: empty
  std::shared_ptr<Anchor> next_anchor;
};

void PreparePages(const PackedModel& packed, SequenceState& state, int64_t position, int64_t count,
                  std::vector<LayeredBlock>* blocks) {
  const int64_t layer_bytes = packed.softmax_kv.block_bytes();
  const auto page_bytes = static_cast<size_t>(layer_bytes * packed.softmax_layers);
  const auto needed =
      static_cast<size_t>((position + count + kBlockPositions - 1) / kBlockPositions);
  if (position % kBlockPositions != 0 && state.pages.back().use_count() > 1) {
    const std::shared_ptr<PositionBlock> shared = std::move(state.pages.back());
    state.pages.pop_back();
    state.pages.push_back(NewPage(state, page_bytes));
    if (page_bytes > 0) {
      std::memcpy(state.pages.back()->data.data(), shared->data.data(), page_bytes);
    }
  }
  while (state.pages.size() < needed) {
    state.pages.push_back(NewPage(state, page_bytes));
    // Session files contain unused slots.
    if (page_bytes > 0) std::memset(state.pages.back()->data.data(), 0, page_bytes);
  }
  blocks->clear();
  for (const auto& page : state.pages) blocks->push_back({page->data.data(), layer_bytes});
}

// A block for a chunk that both begins and ends in this step.
LayeredBlock ScratchChunk(std::vector<std::unique_ptr<PositionBlock>>& chunks, size_t* used,
                          int64_t layer_bytes) {
  if (*used == chunks.size()) {
    chunks.push_back(std::make_unique<PositionBlock>(static_cast<size_t>(layer_bytes)));
  }
  return {chunks[(*used)++]->data.data(), 0};
}

PieceStorage PrepareChunks(const PackedModel& packed, SequenceState& state, int64_t position,
                           int64_t count, std::vector<std::unique_ptr<PositionBlock>>& scratch,
                           size_t* scratch_used, std::vector<LayeredBlock>* blocks) {
  PieceStorage storage;
  blocks->clear();
  if (packed.lightning_layers == 0) return storage;
  const int64_t layer_bytes = packed.lightning_kv.block_bytes();
  const auto tail_bytes = static_cast<size_t>(layer_bytes * packed.lightning_layers);
  const int64_t end = position + count;
  if (position % kBlockPositions != 0) {
    state.tail = Unshared(std::move(state.tail));
    blocks->push_back({state.tail->data.data(), layer_bytes});
    if (end < RoundDown(position) + kBlockPositions) storage.next_tail = state.tail;
  }
  // Chunks that begin here.
  for (int64_t chunk = (position + kBlockPositions - 1) / kBlockPositions * kBlockPositions;
       chunk < end; chunk += kBlockPositions) {
    if (chunk + kBlockPositions <= end) {
      blocks->push_back(ScratchChunk(scratch, scratch_used, layer_bytes));
    } else {
      storage.next_tail = std::make_shared<PositionBlock>(tail_bytes);
      blocks->push_back({storage.next_tail->data.data(), layer_bytes});
    }
  }
  storage.next_anchor = state.anchor;
  if (RoundDown(end) > RoundDown(position) && state.anchor.use_count() != 2) {
    // Someone else (a fork, a kept anchor) reads the old one, or there is none yet. Two: the
    // sequence and next_anchor itself.
    const int64_t d = packed.lightning_kv.head_dim;
    storage.next_anchor = std::make_shared<Anchor>(
        static_cast<size_t>(packed.lightning_layers * packed.lightning_kv.kv_heads * d * d));
  }
  return storage;
}

}  // namespace

Engine::Engine(std::shared_ptr<const Model> model, std::shared_ptr<Context> context,
               const EngineOptions& options)
    : model_(std::move(model)),
      context_(std::move(context)),
      options_(options),
      scratch_(std::make_unique<Scratch>()) {
  options_.max_step_rows = std::max<int64_t>(1, options_.max_step_rows);
}

Engine::~Engine() = default;

int64_t Engine::experts_read() const { return scratch_->work.experts_read; }

void Engine::SetObserver(ActivationObserver* observer) { scratch_->work.observer = observer; }

Sequence Engine::NewSequence() const {
  Sequence sequence;
  sequence.state().slab = options_.pages;
  return sequence;
}

Status Engine::CheckFeeds(std::span<const Feed> feeds) const {
  std::set<const Sequence*> seen;
  for (size_t f = 0; f < feeds.size(); ++f) {
    const Feed& feed = feeds[f];
    RINGLET_CHECK(feed.sequence != nullptr, "a feed needs a sequence");
    RINGLET_CHECK(seen.insert(feed.sequence).second, "a sequence may appear once in a step");
    for (size_t i = 0; i < feed.tokens.size(); ++i) {
      if (feed.tokens[i] >= 0 && feed.tokens[i] < model_->config().vocab) continue;
      return BadInput("tokens", fmt::format("[{}]", i), fmt::format("id {}", feed.tokens[i]),
                      fmt::format("0 to {}", model_->config().vocab - 1));
    }
    if (feed.sequence->length() + static_cast<int64_t>(feed.tokens.size()) > kMaxPosition) {
      return Status(StatusCode::kResource,
                    fmt::format("sequence: found more than {} tokens, expected a shorter text",
                                kMaxPosition));
    }
  }
  return Status::Ok();
}

Status Engine::Step(std::span<const Feed> feeds) {
  RINGLET_RETURN_IF_ERROR(CheckFeeds(feeds));
  std::vector<int64_t> done(feeds.size(), 0);
  while (true) {
    std::vector<int64_t> counts(feeds.size(), 0);
    int64_t budget = options_.max_step_rows;
    for (size_t f = 0; f < feeds.size() && budget > 0; ++f) {
      counts[f] = std::min(budget, static_cast<int64_t>(feeds[f].tokens.size()) - done[f]);
      budget -= counts[f];
    }
    if (budget == options_.max_step_rows) break;
    RunRows(feeds, done, counts);
    for (size_t f = 0; f < feeds.size(); ++f) done[f] += counts[f];
  }
  if (!options_.keep_anchors) return Status::Ok();
  for (const Feed& feed : feeds) {
    // The end of a prompt is where conversations are continued, edited and regenerated from.
    SequenceState& state = feed.sequence->state();
    if (feed.tokens.size() > 1 && state.anchor) KeepAnchor(state.kept, state.anchor);
  }
  return Status::Ok();
}

void Engine::RunRows(std::span<const Feed> feeds, std::span<const int64_t> begin,
                     std::span<const int64_t> counts) {
  const PackedModel& packed = model_->packed();
  Scratch& scratch = *scratch_;
  scratch.pages.resize(feeds.size());
  scratch.piece_chunks.resize(feeds.size());
  std::vector<PieceStorage> storage(feeds.size());
  Batch batch;
  size_t scratch_used = 0;
  for (size_t f = 0; f < feeds.size(); ++f) {
    if (counts[f] == 0) continue;
    SequenceState& state = feeds[f].sequence->state();
    const int64_t position = feeds[f].sequence->length();
    PreparePages(packed, state, position, counts[f], &scratch.pages[f]);
    storage[f] = PrepareChunks(packed, state, position, counts[f], scratch.chunks, &scratch_used,
                               &scratch.piece_chunks[f]);
    batch.spans.push_back({
        .first_row = batch.rows,
        .rows = counts[f],
        .position = position,
        .pages = scratch.pages[f],
        .chunks = scratch.piece_chunks[f],
        .anchor = state.anchor ? state.anchor->data.data() : nullptr,
        .next_anchor = storage[f].next_anchor ? storage[f].next_anchor->data.data() : nullptr,
    });
    batch.rows += counts[f];
  }
  EmbedFeeds(feeds, begin, counts, batch);
  for (size_t i = 0; i < packed.blocks.size(); ++i) {
    const bool last = i + 1 == packed.blocks.size();
    scratch.work.next = last ? std::vector{&packed.head} : FirstMatrices(packed.blocks[i + 1]);
    Forward(*context_, packed.blocks[i], batch, scratch.work, scratch.x.data());
  }
  for (size_t f = 0; f < feeds.size(); ++f) {
    if (counts[f] == 0) continue;
    SequenceState& state = feeds[f].sequence->state();
    const auto tokens =
        feeds[f].tokens.subspan(static_cast<size_t>(begin[f]), static_cast<size_t>(counts[f]));
    state.tokens.insert(state.tokens.end(), tokens.begin(), tokens.end());
    state.tail = std::move(storage[f].next_tail);
    state.anchor = std::move(storage[f].next_anchor);
    if (state.anchor) state.anchor->position = RoundDown(feeds[f].sequence->length());
  }
  ComputeLogits(feeds, begin, counts);
}

void Engine::EmbedFeeds(std::span<const Feed> feeds, std::span<const int64_t> begin,
                        std::span<const int64_t> counts, Batch& batch) {
  std::vector<int32_t> ids;
  std::vector<int64_t> positions;
  for (size_t f = 0; f < feeds.size(); ++f) {
    for (int64_t i = 0; i < counts[f]; ++i) {
      ids.push_back(feeds[f].tokens[static_cast<size_t>(begin[f] + i)]);
      positions.push_back(feeds[f].sequence->length() + i);
    }
  }
  EmbedTokens(*context_, model_->packed(), ids, &scratch_->x);
  PositionAngles(*context_, model_->packed(), positions, &scratch_->cos_sin);
  batch.cos_sin = scratch_->cos_sin.data();
}

void Engine::ShowHidden(std::span<const Feed> feeds, std::span<const int64_t> begin,
                        std::span<const int64_t> counts, const RowSource& norm) {
  std::vector<float> hidden(static_cast<size_t>(model_->config().hidden));
  int64_t batch_row = 0;
  for (size_t f = 0; f < feeds.size(); ++f) {
    for (int64_t i = 0; feeds[f].on_hidden && i < counts[f]; ++i) {
      norm.fill(batch_row + i, hidden.data());
      feeds[f].on_hidden(begin[f] + i, hidden);
    }
    batch_row += counts[f];
  }
}

void Engine::ComputeLogits(std::span<const Feed> feeds, std::span<const int64_t> begin,
                           std::span<const int64_t> counts) {
  struct Wanted {
    size_t feed;
    int64_t row;  // within the feed
    int64_t batch_row;
  };
  std::vector<Wanted> wanted;
  int64_t batch_row = 0;
  for (size_t f = 0; f < feeds.size(); ++f) {
    const auto total = static_cast<int64_t>(feeds[f].tokens.size());
    for (int64_t i = 0; i < counts[f]; ++i, ++batch_row) {
      const int64_t row = begin[f] + i;
      const bool last = feeds[f].rows == LogitRows::kLast && row + 1 == total;
      if (last || feeds[f].rows == LogitRows::kAll) wanted.push_back({f, row, batch_row});
    }
  }
  const ModelConfig& config = model_->config();
  const PackedModel& packed = model_->packed();
  RowSource norm = RmsNormRows(context_->isa, {.x = scratch_->x.data(),
                                               .weight = packed.final_norm.data(),
                                               .rows = batch_row,
                                               .n = config.hidden,
                                               .eps = static_cast<float>(config.norm_eps)});
  ShowHidden(feeds, begin, counts, norm);
  for (size_t first = 0; first < wanted.size(); first += kLogitRows) {
    const size_t count = std::min(wanted.size() - first, static_cast<size_t>(kLogitRows));
    scratch_->logits.Reset(count * static_cast<size_t>(config.vocab));
    const auto fill = [&](int64_t row, float* out) {
      norm.fill(wanted[first + static_cast<size_t>(row)].batch_row, out);
    };
    scratch_->head_input.Assign({static_cast<int64_t>(count), config.hidden, norm.cost, fill},
                                scratch_->work.scratch->input);
    const PreparedRows& input =
        scratch_->head_input.For(*context_, packed.head, scratch_->work.observer);
    // The next step follows when a token has been chosen.
    ReadAhead(*context_, FirstMatrices(packed.blocks[0]));
    Gemm(*context_, packed.head, input, scratch_->logits.data());
    for (size_t i = 0; i < count; ++i) {
      const Wanted& row = wanted[first + i];
      if (!feeds[row.feed].on_logits) continue;
      feeds[row.feed].on_logits(
          row.row, std::span(scratch_->logits.data() + i * static_cast<size_t>(config.vocab),
                             static_cast<size_t>(config.vocab)));
    }
  }
}

Status Engine::Rollback(Sequence& sequence, int64_t length) {
  if (length < 0 || length > sequence.length()) {
    return BadInput("rollback", "length", fmt::format("{}", length),
                    fmt::format("0 to {}", sequence.length()));
  }
  SequenceState& state = sequence.state();
  if (length == sequence.length()) return Status::Ok();
  if (length >= state.anchor_position()) {
    state.tokens.resize(static_cast<size_t>(length));
    state.pages.resize(static_cast<size_t>((length + kBlockPositions - 1) / kBlockPositions));
    if (length == state.anchor_position()) state.tail.reset();
    return Status::Ok();
  }
  while (!state.kept.empty() && state.kept.back()->position > length) state.kept.pop_back();
  state.anchor = state.kept.empty() ? nullptr : state.kept.back();
  state.tail.reset();
  const int64_t restart = state.anchor_position();
  const std::vector<int32_t> rest(state.tokens.begin() + restart, state.tokens.begin() + length);
  state.tokens.resize(static_cast<size_t>(restart));
  state.pages.resize(static_cast<size_t>(restart / kBlockPositions));
  const Feed feed{.sequence = &sequence, .tokens = rest, .rows = LogitRows::kNone, .on_logits = {}};
  return Step(std::span(&feed, 1));
}

}  // namespace ringlet
