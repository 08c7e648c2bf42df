#include "nn/mixer.h"

#include <array>
#include <cmath>

#include "ops/attention/attention.h"
#include "ops/norm/norm.h"
#include "ops/qkv/qkv.h"

namespace ringlet {
namespace {

// Projects work.input to q (fp32, work.q) and to keys and values in the blocks that `block_of(span,
// position)` names, and to the gate (work.gate) if there is one.
template <typename Mixer, typename BlockOf>
void ProjectAndStore(Context& context, const Mixer& mixer, const PackedMatrix* gate,
                     const Batch& batch, Workspace& work, const BlockOf& block_of) {
  const MixerSpec& spec = mixer.spec;
  const int64_t width = mixer.qkv.n;
  const int64_t q_width = spec.heads * spec.kv.head_dim;
  work.qkv.Reset(static_cast<size_t>(batch.rows * width));
  work.q.Reset(static_cast<size_t>(batch.rows * q_width));
  std::vector<GemmJob> jobs;
  jobs.push_back(
      WholeJob(mixer.qkv, work.input.For(context, mixer.qkv, work.observer), work.qkv.data()));
  if (gate != nullptr) {
    work.gate.Reset(static_cast<size_t>(batch.rows * gate->n));
    jobs.push_back(
        WholeJob(*gate, work.input.For(context, *gate, work.observer), work.gate.data()));
  }
  Gemm(context, jobs);

  std::vector<QkvRow> rows;
  rows.reserve(static_cast<size_t>(batch.rows));
  for (const BatchSpan& span : batch.spans) {
    for (int64_t i = 0; i < span.rows; ++i) {
      const int64_t row = span.first_row + i;
      const int64_t position = span.position + i;
      rows.push_back({
          .qkv = work.qkv.data() + row * width,
          .q = work.q.data() + row * q_width,
          .block = block_of(span, position),
          .slot = position % kBlockPositions,
          .cos_sin = batch.cos_sin + row * spec.rotary_dim,
      });
    }
  }
  QkvSplit(context, {
                        .heads = spec.heads,
                        .kv = spec.kv,
                        .rotary_dim = spec.rotary_dim,
                        .q_norm = mixer.q_norm.empty() ? nullptr : mixer.q_norm.data(),
                        .k_norm = mixer.k_norm.empty() ? nullptr : mixer.k_norm.data(),
                        .eps = spec.eps,
                        .rows = rows,
                    });
}

// y = work.inner * out^T
void ProjectOut(Context& context, const PackedMatrix& out, Workspace& work, float* y) {
  const PreparedRows& inner = work.inner.For(context, out, work.observer);
  ReadAhead(context, work.next);
  Gemm(context, out, inner, y);
}

}  // namespace

float MixerSpec::QueryScale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(kv.head_dim)));
}

std::vector<const PackedMatrix*> FirstMatrices(const SoftmaxMixer& mixer) { return {&mixer.qkv}; }

std::vector<const PackedMatrix*> FirstMatrices(const LightningMixer& mixer) {
  return {&mixer.qkv, &mixer.gate};
}

void Forward(Context& context, const SoftmaxMixer& mixer, const Batch& batch, Workspace& work,
             float* y) {
  const int64_t q_width = mixer.spec.heads * mixer.spec.kv.head_dim;
  ProjectAndStore(
      context, mixer, nullptr, batch, work, [&](const BatchSpan& span, int64_t position) {
        return span.pages[static_cast<size_t>(position / kBlockPositions)].layer(mixer.layer);
      });

  std::vector<const std::byte*>& blocks = work.scratch->block_pointers;
  blocks.clear();
  for (const BatchSpan& span : batch.spans) {
    for (const LayeredBlock& page : span.pages) blocks.push_back(page.layer(mixer.layer));
  }
  work.mixed.Reset(static_cast<size_t>(batch.rows * q_width));
  if (work.keep_lse) work.lse.Reset(static_cast<size_t>(batch.rows * mixer.spec.heads));
  std::vector<AttentionRow> rows;
  rows.reserve(static_cast<size_t>(batch.rows));
  size_t first_block = 0;
  for (const BatchSpan& span : batch.spans) {
    for (int64_t i = 0; i < span.rows; ++i) {
      const int64_t row = span.first_row + i;
      rows.push_back({
          .q = work.q.data() + row * q_width,
          .out = work.mixed.data() + row * q_width,
          .blocks = blocks.data() + first_block,
          .length = span.position + i + 1,
          .lse = work.keep_lse ? work.lse.data() + row * mixer.spec.heads : nullptr,
      });
    }
    first_block += span.pages.size();
  }
  ReadAhead(context, std::array{&mixer.out});
  Attention(context, {
                         .heads = mixer.spec.heads,
                         .kv = mixer.spec.kv,
                         .scale = mixer.spec.QueryScale(),
                         .rows = rows,
                     });
  work.inner.Assign(work.mixed.data(), batch.rows, q_width, work.scratch->inner);
  ProjectOut(context, mixer.out, work, y);
}

void Forward(Context& context, const LightningMixer& mixer, const Batch& batch, Workspace& work,
             float* y) {
  const MixerSpec& spec = mixer.spec;
  const int64_t width = spec.heads * spec.kv.head_dim;
  ProjectAndStore(
      context, mixer, &mixer.gate, batch, work, [&](const BatchSpan& span, int64_t position) {
        const int64_t chunk = position / kBlockPositions - span.position / kBlockPositions;
        return span.chunks[static_cast<size_t>(chunk)].layer(mixer.layer);
      });

  std::vector<const std::byte*>& blocks = work.scratch->block_pointers;
  blocks.clear();
  for (const BatchSpan& span : batch.spans) {
    for (const LayeredBlock& chunk : span.chunks) blocks.push_back(chunk.layer(mixer.layer));
  }
  const int64_t anchor_offset = mixer.layer * spec.heads * spec.kv.head_dim * spec.kv.head_dim;
  work.mixed.Reset(static_cast<size_t>(batch.rows * width));
  std::vector<LightningFeed> feeds;
  size_t first_block = 0;
  for (const BatchSpan& span : batch.spans) {
    feeds.push_back({
        .q = work.q.data() + span.first_row * width,
        .out = work.mixed.data() + span.first_row * width,
        .rows = span.rows,
        .first_slot = span.position % kBlockPositions,
        .chunks = blocks.data() + first_block,
        .anchor = span.anchor == nullptr ? nullptr : span.anchor + anchor_offset,
        .next_anchor = span.next_anchor == nullptr ? nullptr : span.next_anchor + anchor_offset,
    });
    first_block += span.chunks.size();
  }
  ReadAhead(context, std::array{&mixer.out});
  Lightning(context, {
                         .kv = spec.kv,
                         .scale = spec.QueryScale(),
                         .decay = &mixer.decay,
                         .feeds = feeds,
                     });
  work.inner.Assign(GroupNormGateRows(context.isa,
                                      {
                                          .x = work.mixed.data(),
                                          .gate = work.gate.data(),
                                          .weight = mixer.group_norm.data(),
                                          .rows = batch.rows,
                                          .n = width,
                                          .groups = mixer.groups,
                                          .eps = spec.eps,
                                      }),
                    work.scratch->inner);
  ProjectOut(context, mixer.out, work, y);
}

}  // namespace ringlet
