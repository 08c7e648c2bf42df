#include "ops/loss/cross_entropy.h"

#include <algorithm>
#include <vector>

#include "ops/gemm/gemm.h"
#include "ops/gemm/gemm_backward.h"
#include "ops/loss/cross_entropy_kernels.h"
#include "ops/loss/log_sum_exp.h"
#include "ops/parallel_rows.h"

namespace ringlet {
namespace {

static_assert(kVocabularyBlock % kPanel == 0);

// Outputs [first, first + count) of the head; first is a multiple of the panel.
PackedMatrix OutputsOf(const PackedMatrix& head, int64_t first, int64_t count) {
  PackedMatrix part = head;
  part.n = count;
  part.data = SharedBytes(
      head.data.span().subspan(static_cast<size_t>(first / kPanel * head.panel_bytes)), nullptr);
  return part;
}

// Inputs [first, first + count) of the transposed head; first is even.
PackedMatrix InputsOf(const PackedMatrix& transposed, int64_t first, int64_t count) {
  PackedMatrix part = transposed;
  part.k = count;
  part.data = SharedBytes(
      transposed.data.span().subspan(static_cast<size_t>(PanelBytes(transposed.format, {}, first))),
      nullptr);
  return part;
}

// The rows that have labels, at most kLossRows of them.
struct Block {
  std::vector<int64_t> rows;
  AlignedBuffer<float> x;
  PreparedRows prepared;
  std::vector<LogSumExpOfBlocks> sums;
  std::vector<float> label_logit;
  std::vector<float> lse;
  AlignedBuffer<float> logits;  // of one block of the vocabulary
  PreparedRows dlogits;
  AlignedBuffer<float> part;  // of dx
  AlignedBuffer<float> dx;
};

struct Loss {
  Context& context;
  const CrossEntropyKernels& kernels;
  const CrossEntropyArgs& args;
  const PackedMatrix& head;

  int64_t vocabulary() const { return head.n; }
  int64_t k() const { return head.k; }
};

void Gather(const Loss& loss, Block* block) {
  const auto count = static_cast<int64_t>(block->rows.size());
  const int64_t k = loss.k();
  block->x.Reset(static_cast<size_t>(count * k));
  ParallelRows(loss.context, count, k, [&](int64_t i) {
    std::copy_n(loss.args.x + block->rows[static_cast<size_t>(i)] * k, k, block->x.data() + i * k);
  });
  PrepareRows(loss.context, loss.head.format, block->x.data(), count, k, &block->prepared);
  block->sums.assign(block->rows.size(), {});
  block->label_logit.assign(block->rows.size(), 0.0f);
  block->lse.assign(block->rows.size(), 0.0f);
}

// Logits of vocabulary entries [first, first + count), [rows, count].
void Logits(const Loss& loss, int64_t first, int64_t count, Block* block) {
  block->logits.Reset(block->rows.size() * static_cast<size_t>(count));
  Gemm(loss.context, OutputsOf(loss.head, first, count), block->prepared, block->logits.data());
}

void LogSumExps(const Loss& loss, Block* block) {
  for (int64_t first = 0; first < loss.vocabulary(); first += kVocabularyBlock) {
    const int64_t count = std::min(kVocabularyBlock, loss.vocabulary() - first);
    Logits(loss, first, count, block);
    const auto rows = static_cast<int64_t>(block->rows.size());
    ParallelRows(loss.context, rows, 8 * count, [&](int64_t row) {
      const auto i = static_cast<size_t>(row);
      const float* logits = block->logits.data() + row * count;
      const int64_t label = loss.args.labels[block->rows[i]] - first;
      if (label >= 0 && label < count) block->label_logit[i] = logits[label];
      float largest;
      float sum;
      loss.kernels.block(logits, count, &largest, &sum);
      block->sums[i].Add(largest, sum);
    });
  }
  for (size_t i = 0; i < block->rows.size(); ++i) {
    const double lse = block->sums[i].Value();
    block->lse[i] = static_cast<float>(lse);
    const auto row = static_cast<size_t>(block->rows[i]);
    if (loss.args.lse != nullptr) loss.args.lse[row] = block->lse[i];
    if (loss.args.log_probs != nullptr) {
      loss.args.log_probs[row] = block->label_logit[i] - lse;
    }
  }
}

// dlogits of one block of the vocabulary, in place of the logits.
void LogitGradients(const Loss& loss, int64_t first, int64_t count, Block* block) {
  const auto rows = static_cast<int64_t>(block->rows.size());
  ParallelRows(loss.context, rows, 8 * count, [&](int64_t row) {
    const auto i = static_cast<size_t>(row);
    float* logits = block->logits.data() + row * count;
    const float factor = loss.args.scale * (1.0f + 2.0f * loss.args.z_loss * block->lse[i]);
    loss.kernels.gradient(logits, count, block->lse[i], factor);
    const int64_t label = loss.args.labels[block->rows[i]] - first;
    if (label >= 0 && label < count) logits[label] -= loss.args.scale;
  });
}

void AddInputGradients(const Loss& loss, int64_t first, int64_t count, Block* block) {
  const auto rows = static_cast<int64_t>(block->rows.size());
  const int64_t k = loss.k();
  block->part.Reset(static_cast<size_t>(rows * k));
  block->dx.Reset(static_cast<size_t>(rows * k));
  PrepareRows(loss.context, loss.head.format, block->logits.data(), rows, count, &block->dlogits);
  Gemm(loss.context, InputsOf(loss.args.head->transposed(), first, count), block->dlogits,
       block->part.data());
  const bool last = first + count == loss.vocabulary();
  ParallelRows(loss.context, rows, 2 * k, [&](int64_t row) {
    const float* part = block->part.data() + row * k;
    float* sum = block->dx.data() + row * k;
    for (int64_t i = 0; i < k; ++i) sum[i] = first == 0 ? part[i] : sum[i] + part[i];
    if (last) std::copy_n(sum, k, loss.args.dx + block->rows[static_cast<size_t>(row)] * k);
  });
}

void Gradients(const Loss& loss, bool add, Block* block) {
  const auto rows = static_cast<int64_t>(block->rows.size());
  for (int64_t first = 0; first < loss.vocabulary(); first += kVocabularyBlock) {
    const int64_t count = std::min(kVocabularyBlock, loss.vocabulary() - first);
    Logits(loss, first, count, block);
    LogitGradients(loss, first, count, block);
    if (loss.args.dx != nullptr) AddInputGradients(loss, first, count, block);
    if (loss.args.dw != nullptr) {
      const WeightGradientJob job =
          WholeGradientJob(block->logits.data(), block->x.data(), rows, count, loss.k(),
                           loss.args.dw + first * loss.k());
      WeightGradient(loss.context, loss.head.format, add, std::span(&job, 1));
    }
  }
}

void Clear(const CrossEntropyArgs& args, int64_t row, int64_t k) {
  if (args.log_probs != nullptr) args.log_probs[row] = 0.0;
  if (args.lse != nullptr) args.lse[row] = 0.0f;
  if (args.dx != nullptr) std::fill_n(args.dx + row * k, k, 0.0f);
}

}  // namespace

void CrossEntropy(Context& context, const CrossEntropyArgs& args) {
  const PackedMatrix& head = args.head->forward();
  const Loss loss{context, SelectKernels(CrossEntropyTables(), context.isa), args, head};
  std::vector<int64_t> labelled;
  for (int64_t row = 0; row < args.rows; ++row) {
    RINGLET_CHECK(args.labels[row] < head.n, "a label of the vocabulary");
    if (args.labels[row] >= 0) {
      labelled.push_back(row);
    } else {
      Clear(args, row, head.k);
    }
  }
  if (labelled.empty() && args.dw != nullptr && !args.add_dw) {
    std::fill_n(args.dw, head.n * head.k, 0.0f);
  }
  Block block;
  const auto total = static_cast<int64_t>(labelled.size());
  for (int64_t begin = 0; begin < total; begin += kLossRows) {
    const int64_t end = std::min(total, begin + kLossRows);
    block.rows.assign(labelled.begin() + begin, labelled.begin() + end);
    Gather(loss, &block);
    LogSumExps(loss, &block);
    if (args.dx != nullptr || args.dw != nullptr) {
      Gradients(loss, args.add_dw || begin > 0, &block);
    }
  }
}

}  // namespace ringlet
