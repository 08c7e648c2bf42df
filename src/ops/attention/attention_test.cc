#include "ops/attention/attention.h"

#include <cstring>
#include <limits>
#include <memory>

#include "ops/kv_access.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class AttentionTest : public IsaTest {};

struct Shape {
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  KvType type = KvType::kBf16;
};

AttentionArgs ArgsOf(const Shape& shape) {
  AttentionArgs args;
  args.heads = shape.heads;
  args.kv = {shape.type, shape.kv_heads, shape.head_dim};
  args.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)));
  return args;
}

// Error bounds of one row. A score is off by its dot product's rounding; that scales every weight
// relatively by e^(2 * error); sums of weights and of weighted values add up to two roundings for
// each position and a few for each block's and split's rescaling.
std::vector<double> Bounds(const AttentionArgs& args, const AttentionRow& row) {
  const int64_t d = args.kv.head_dim;
  std::vector<double> bounds;
  for (int64_t h = 0; h < args.heads; ++h) {
    const int64_t kv_head = h * args.kv.kv_heads / args.heads;
    std::vector<double> scores;
    double score_error = 0;
    // INT8: queries are rounded to 16 bits of their largest element.
    double query_step = 0;
    for (int64_t i = 0; i < d && args.kv.type == KvType::kInt8; ++i) {
      query_step = std::max(query_step, std::abs(static_cast<double>(row.q[h * d + i])) / 32767);
    }
    double largest = -INFINITY;
    for (int64_t j = 0; j < row.length; ++j) {
      double dot = 0;
      double magnitude = 0;
      double key_magnitude = 0;
      for (int64_t i = 0; i < d; ++i) {
        key_magnitude += std::abs(KeyAt(args.kv, row.blocks[j / 64], kv_head, j % 64, i));
        const double term = static_cast<double>(row.q[h * d + i]) *
                            KeyAt(args.kv, row.blocks[j / 64], kv_head, j % 64, i);
        dot += term;
        magnitude += std::abs(term);
      }
      scores.push_back(dot * args.scale);
      largest = std::max(largest, scores.back());
      // The scaled score, the maximum and their difference are rounded too.
      score_error =
          std::max(score_error,
                   (DotBound(d + 8, magnitude) + 0.51 * query_step * key_magnitude) * args.scale);
    }
    score_error += 8.0 * kF32Round * std::abs(largest);
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - largest);
    // And weights times values' scales to 16 bits of the largest in their block.
    std::vector<double> weight_steps(scores.size() / 64 + 1, 0.0);
    const auto value_scale = [&](int64_t j) {
      bf16_t scale;
      std::memcpy(&scale, row.blocks[j / 64] + args.kv.value_scales(kv_head) + j % 64 * 2, 2);
      return static_cast<double>(Bf16ToFloat(scale));
    };
    for (int64_t j = 0; j < row.length && args.kv.type == KvType::kInt8; ++j) {
      double& step = weight_steps[static_cast<size_t>(j / 64)];
      step = std::max(step, scores[static_cast<size_t>(j)] / sum * value_scale(j) / 32767);
    }
    for (int64_t i = 0; i < d; ++i) {
      double magnitude = 0;
      double code_error = 0;
      for (int64_t j = 0; j < row.length; ++j) {
        if (args.kv.type == KvType::kInt8) {
          const double value = ValueAt(args.kv, row.blocks[j / 64], kv_head, j % 64, i);
          code_error +=
              0.51 * weight_steps[static_cast<size_t>(j / 64)] * std::abs(value) / value_scale(j);
        }
        magnitude += scores[static_cast<size_t>(j)] / sum *
                     std::abs(ValueAt(args.kv, row.blocks[j / 64], kv_head, j % 64, i));
      }
      const int64_t roundings = 2 * row.length + 12 * (row.length / 64 + 2) + 16;
      bounds.push_back(2.1 * score_error * magnitude + SumBound(roundings, magnitude) + code_error);
    }
  }
  return bounds;
}

// Rows of one sequence that attend to the given lengths, with their outputs.
struct Problem {
  Problem(const Shape& shape, const std::vector<int64_t>& lengths, Rng* rng, double key_scale = 1.0)
      : args(ArgsOf(shape)),
        kv(args.kv, *std::max_element(lengths.begin(), lengths.end())),
        q(NormalFloats(rng, static_cast<int64_t>(lengths.size()) * shape.heads * shape.head_dim)),
        out(q.size(), 3) {
    kv.FillNormal(rng, *std::max_element(lengths.begin(), lengths.end()), key_scale);
    for (size_t i = 0; i < lengths.size(); ++i) {
      const size_t at = i * width();
      rows.push_back({q.data() + at, out.data() + at, kv.blocks(), lengths[i]});
    }
    args.rows = rows;
  }
  size_t width() const { return static_cast<size_t>(args.heads * args.kv.head_dim); }
  std::span<const float> output(size_t row) const {
    return std::span<const float>(rows[row].out, width());
  }

  AttentionArgs args;
  KvSequence kv;
  std::vector<float> q;
  GuardedBuffer<float> out;
  std::vector<AttentionRow> rows;
};

void CheckAgainstReference(Context& context, Problem& problem, size_t row) {
  Attention(context, problem.args);
  std::vector<double> want(problem.width());
  AttentionRef(problem.args, problem.rows[row], want.data());
  ASSERT_TRUE(Within(problem.output(row), want, Bounds(problem.args, problem.rows[row])))
      << "length " << problem.rows[row].length << " heads " << problem.args.heads << "/"
      << problem.args.kv.kv_heads << " head_dim " << problem.args.kv.head_dim;
}

// The last block beyond `length` is NaN here: those slots must not matter.
TEST_P(AttentionTest, MatchesReferenceAtEveryKindOfLength) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const KvType type : {KvType::kBf16, KvType::kF32, KvType::kInt8}) {
    for (const int64_t length : {1, 2, 7, 63, 64, 65, 127, 1000, 1023, 1024, 1025, 2049, 3000}) {
      Problem problem({4, 2, 64, type}, {length}, &rng);
      ASSERT_NO_FATAL_FAILURE(CheckAgainstReference(context, problem, 0));
    }
  }
}

TEST_P(AttentionTest, MatchesReferenceForEveryShape) {
  Context context(isa(), 2);
  Rng rng(2);
  for (const KvType type : {KvType::kBf16, KvType::kF32, KvType::kInt8}) {
    for (const int64_t head_dim : {7, 24, 64, 80, 128}) {
      for (const auto& [heads, kv_heads] : std::vector<std::pair<int64_t, int64_t>>{
               {1, 1}, {6, 6}, {9, 3}, {16, 2}, {5, 1}, {70, 1}}) {
        Problem problem({heads, kv_heads, head_dim, type}, {130}, &rng);
        ASSERT_NO_FATAL_FAILURE(CheckAgainstReference(context, problem, 0));
      }
    }
  }
}

// Large scores: one position has nearly all of the weight, the others underflow.
TEST_P(AttentionTest, MatchesReferenceWithLargeScores) {
  Context context(isa(), 1);
  Rng rng(3);
  Problem problem({2, 1, 64, KvType::kF32}, {1500}, &rng, 100.0);
  CheckAgainstReference(context, problem, 0);
}

TEST_P(AttentionTest, RowsOfAChunkMatchTheReference) {
  Context context(isa(), 2);
  Rng rng(4);
  std::vector<int64_t> lengths;
  for (int64_t length = 1010; length < 1050; ++length) lengths.push_back(length);
  Problem problem({6, 2, 24, KvType::kBf16}, lengths, &rng);
  for (size_t row = 0; row < lengths.size(); row += 7) {
    ASSERT_NO_FATAL_FAILURE(CheckAgainstReference(context, problem, row));
  }
}

// A NaN that a row attends to reaches its whole head; later positions do not matter.
TEST_P(AttentionTest, NanKeyAndValue) {
  Context context(isa(), 1);
  Rng rng(5);
  for (const bool key : {true, false}) {
    Problem problem({2, 2, 24, KvType::kBf16}, {70, 71, 130}, &rng);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    if (key) {
      problem.kv.SetKey(70, 1, 5, nan);
    } else {
      problem.kv.SetValue(70, 1, 5, nan);
    }
    Attention(context, problem.args);
    for (size_t row = 0; row < 3; ++row) {
      const std::span<const float> out = problem.output(row);
      for (size_t i = 0; i < out.size(); ++i) {
        const bool sees = row > 0 && i >= 24 && (key || i == 24 + 5);
        ASSERT_EQ(std::isnan(out[i]), sees) << "row " << row << " output " << i << " key " << key;
      }
    }
  }
}

// Several sequences, their rows in one call in one order or another: every row's bytes are the same
// as alone, on any number of threads (which also decides how splits are shared out).
TEST_P(AttentionTest, RowContract) {
  Rng rng(6);
  for (const Shape& shape : {Shape{4, 2, 64, KvType::kBf16}, Shape{9, 3, 24, KvType::kF32},
                             Shape{8, 2, 64, KvType::kInt8}, Shape{3, 3, 7, KvType::kBf16}}) {
    std::vector<std::unique_ptr<Problem>> sequences;
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{2100},
                                                {1, 2, 3, 4},
                                                {1022, 1023, 1024, 1025, 1026},
                                                {64, 65, 700}}) {
      sequences.push_back(std::make_unique<Problem>(shape, lengths, &rng));
    }
    std::vector<AttentionRow> rows;
    std::vector<std::vector<float>> alone;
    Context one(isa(), 1);
    for (auto& problem : sequences) {
      for (size_t i = 0; i < problem->rows.size(); ++i) {
        AttentionArgs args = problem->args;
        args.rows = std::span(&problem->rows[i], 1);
        Attention(one, args);
        alone.emplace_back(problem->output(i).begin(), problem->output(i).end());
        rows.push_back(problem->rows[i]);
      }
    }
    for (int threads = 1; threads <= 4; ++threads) {
      Context context(isa(), threads);
      for (int trial = 0; trial < 12; ++trial) {
        // In sequence order first, then shuffled, then subsets.
        std::vector<size_t> order;
        for (size_t i = 0; i < rows.size(); ++i) {
          if (trial < 6 || rng.Below(2) == 0) order.push_back(i);
        }
        for (size_t i = order.size(); trial > 0 && i > 1; --i) {
          std::swap(order[i - 1], order[rng.Below(i)]);
        }
        GuardedBuffer<float> out(order.size() * alone[0].size());
        std::vector<AttentionRow> picked;
        for (const size_t i : order) {
          picked.push_back(rows[i]);
          picked.back().out = out.data() + (picked.size() - 1) * alone[0].size();
        }
        AttentionArgs args = sequences[0]->args;
        args.rows = picked;
        Attention(context, args);
        for (size_t i = 0; i < order.size(); ++i) {
          ASSERT_TRUE(SameBits(std::span<const float>(alone[order[i]]),
                               std::span<const float>(picked[i].out, alone[0].size())))
              << "row " << order[i] << " threads " << threads << " trial " << trial;
        }
      }
    }
  }
}

RINGLET_INSTANTIATE_ISAS(AttentionTest);

}  // namespace
}  // namespace ringlet
