#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "ops/attention/attention_kernels.h"

namespace ringlet {
namespace {

// A few rows of one sequence times some heads of one kv head: what a task reads K and V for.
struct Unit {
  int64_t first_row;
  int64_t rows;
  int64_t kv_head;
  int64_t first_head;
  int64_t heads;
  int64_t splits;

  int64_t queries() const { return rows * heads; }
};

int64_t SplitCount(int64_t length) {
  constexpr int64_t kPositions = kSplitBlocks * kBlockPositions;
  return (length + kPositions - 1) / kPositions;
}

// Consecutive rows of one sequence, at most `limit` of them, starting at `first`.
int64_t SharedRows(std::span<const AttentionRow> rows, int64_t first, int64_t limit) {
  int64_t count = 1;
  while (count < limit && first + count < static_cast<int64_t>(rows.size()) &&
         rows[static_cast<size_t>(first + count)].blocks ==
             rows[static_cast<size_t>(first)].blocks) {
    ++count;
  }
  return count;
}

std::vector<Unit> MakeUnits(const AttentionArgs& args) {
  const int64_t group = args.heads / args.kv.kv_heads;
  const int64_t heads_per_unit = std::min(group, AttentionQueries::kMax);
  const int64_t rows_per_unit = AttentionQueries::kMax / heads_per_unit;
  std::vector<Unit> units;
  for (int64_t row = 0; row < static_cast<int64_t>(args.rows.size());) {
    const int64_t count = SharedRows(args.rows, row, rows_per_unit);
    int64_t longest = 0;
    for (int64_t i = row; i < row + count; ++i) {
      longest = std::max(longest, args.rows[static_cast<size_t>(i)].length);
    }
    for (int64_t kv_head = 0; kv_head < args.kv.kv_heads; ++kv_head) {
      for (int64_t head = 0; head < group; head += heads_per_unit) {
        units.push_back({row, count, kv_head, kv_head * group + head,
                         std::min(heads_per_unit, group - head), SplitCount(longest)});
      }
    }
    row += count;
  }
  return units;
}

AttentionQueries QueriesOf(const AttentionArgs& args, const Unit& unit) {
  AttentionQueries queries;
  for (int64_t r = 0; r < unit.rows; ++r) {
    const AttentionRow& row = args.rows[static_cast<size_t>(unit.first_row + r)];
    for (int64_t h = 0; h < unit.heads; ++h) {
      queries.q[queries.count] = row.q + (unit.first_head + h) * args.kv.head_dim;
      queries.length[queries.count] = row.length;
      ++queries.count;
    }
  }
  return queries;
}

int64_t StateFloats(int64_t queries, int64_t d) { return queries * (d + 2); }

SoftmaxState StateAt(float* memory, int64_t queries) {
  return {memory, memory + queries, memory + 2 * queries};
}

void ComputeSplit(const AttentionKernels& kernels, const AttentionArgs& args, const Unit& unit,
                  const AttentionQueries& queries, int64_t split, const SoftmaxState& state,
                  float* scratch) {
  const AttentionRow& row = args.rows[static_cast<size_t>(unit.first_row)];
  const int64_t longest = *std::max_element(queries.length, queries.length + queries.count);
  const int64_t blocks = (longest + kBlockPositions - 1) / kBlockPositions;
  kernels.split(queries, args.kv, unit.kv_head, args.scale, row.blocks, split * kSplitBlocks,
                std::min(blocks, (split + 1) * kSplitBlocks), state, scratch);
}

void Empty(const SoftmaxState& state, int64_t queries, int64_t d) {
  std::fill_n(state.max, queries, -std::numeric_limits<float>::infinity());
  std::fill_n(state.sum, queries, 0.0f);
  std::fill_n(state.output, queries * d, 0.0f);
}

// Merges one split's state of every query that sees it.
void MergeSplit(const AttentionKernels& kernels, const AttentionQueries& queries, int64_t split,
                const SoftmaxState& total, const SoftmaxState& part, int64_t d) {
  for (int64_t i = 0; i < queries.count; ++i) {
    if (SplitCount(queries.length[i]) <= split) continue;
    kernels.merge(total.max + i, total.sum + i, total.output + i * d, part.max[i], part.sum[i],
                  part.output + i * d, d);
  }
}

void FinishUnit(const AttentionKernels& kernels, const AttentionArgs& args, const Unit& unit,
                const SoftmaxState& total) {
  const int64_t d = args.kv.head_dim;
  for (int64_t i = 0; i < unit.queries(); ++i) {
    const AttentionRow& row = args.rows[static_cast<size_t>(unit.first_row + i / unit.heads)];
    const int64_t head = unit.first_head + i % unit.heads;
    kernels.finish(total.output + i * args.kv.padded_dim(), total.sum[i], row.out + head * d, d);
    if (row.lse != nullptr) {
      const double log2 = total.max[i] + std::log2(static_cast<double>(total.sum[i]));
      row.lse[head] = static_cast<float>(log2 * std::numbers::ln2);
    }
  }
}

// One thread walks all splits of a unit.
void RunUnit(const AttentionKernels& kernels, const AttentionArgs& args, const Unit& unit,
             float* scratch) {
  const int64_t d = args.kv.padded_dim();
  const AttentionQueries queries = QueriesOf(args, unit);
  const SoftmaxState total = StateAt(scratch, queries.count);
  const SoftmaxState part = StateAt(scratch + StateFloats(queries.count, d), queries.count);
  float* kernel_scratch = scratch + 2 * StateFloats(queries.count, d);
  Empty(total, queries.count, d);
  for (int64_t split = 0; split < unit.splits; ++split) {
    ComputeSplit(kernels, args, unit, queries, split, part, kernel_scratch);
    MergeSplit(kernels, queries, split, total, part, d);
  }
  FinishUnit(kernels, args, unit, total);
}

// Splits on separate threads, then the same merge in the same order.
void RunSplit(Context& context, const AttentionKernels& kernels, const AttentionArgs& args,
              const std::vector<Unit>& units) {
  struct Piece {
    size_t unit;
    int64_t split;
    int64_t offset;  // into the shared scratch
  };
  const int64_t d = args.kv.padded_dim();
  std::vector<Piece> pieces;
  std::vector<size_t> first_piece;
  int64_t floats = 0;
  for (size_t u = 0; u < units.size(); ++u) {
    first_piece.push_back(pieces.size());
    for (int64_t split = 0; split < units[u].splits; ++split) {
      pieces.push_back({u, split, floats});
      floats += StateFloats(units[u].queries(), d);
    }
  }
  float* shared = context.SharedScratch(static_cast<size_t>(floats));
  const auto scratch_floats =
      static_cast<size_t>(AttentionScratchFloats(args.kv) + StateFloats(AttentionQueries::kMax, d));
  context.pool.ParallelFor(static_cast<int64_t>(pieces.size()), [&](int64_t i, int thread) {
    const Piece& piece = pieces[static_cast<size_t>(i)];
    const AttentionQueries queries = QueriesOf(args, units[piece.unit]);
    ComputeSplit(kernels, args, units[piece.unit], queries, piece.split,
                 StateAt(shared + piece.offset, queries.count),
                 context.ThreadScratch(thread, scratch_floats));
  });
  context.pool.ParallelFor(static_cast<int64_t>(units.size()), [&](int64_t u, int thread) {
    const Unit& unit = units[static_cast<size_t>(u)];
    const AttentionQueries queries = QueriesOf(args, unit);
    const SoftmaxState total =
        StateAt(context.ThreadScratch(thread, scratch_floats), queries.count);
    Empty(total, queries.count, d);
    for (int64_t split = 0; split < unit.splits; ++split) {
      const Piece& piece = pieces[first_piece[static_cast<size_t>(u)] + static_cast<size_t>(split)];
      MergeSplit(kernels, queries, split, total, StateAt(shared + piece.offset, queries.count), d);
    }
    FinishUnit(kernels, args, unit, total);
  });
}

}  // namespace

void Attention(Context& context, const AttentionArgs& args) {
  RINGLET_CHECK(args.kv.kv_heads >= 1 && args.heads % args.kv.kv_heads == 0,
                "kv heads must divide heads");
  const AttentionKernels& kernels = SelectKernels(AttentionTables(), context.isa);
  const std::vector<Unit> units = MakeUnits(args);
  int64_t pieces = 0;
  for (const Unit& unit : units) pieces += unit.splits;
  const auto count = static_cast<int64_t>(units.size());
  if (count < 4 * context.pool.threads() && pieces > count) {
    RunSplit(context, kernels, args, units);
    return;
  }
  const int64_t d = args.kv.padded_dim();
  const auto floats = static_cast<size_t>(2 * StateFloats(AttentionQueries::kMax, d) +
                                          AttentionScratchFloats(args.kv));
  context.pool.ParallelFor(count, [&](int64_t u, int thread) {
    RunUnit(kernels, args, units[static_cast<size_t>(u)], context.ThreadScratch(thread, floats));
  });
}

}  // namespace ringlet
