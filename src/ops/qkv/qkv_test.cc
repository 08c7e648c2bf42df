#include "ops/qkv/qkv.h"

#include <limits>

#include "ops/kv_access.h"
#include "ops/rope/rope.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class QkvTest : public IsaTest {};

struct Case {
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t rotary_dim;
  KvType type;
  bool norm;
};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const KvType type : {KvType::kBf16, KvType::kF32, KvType::kInt8}) {
    for (const bool norm : {false, true}) {
      for (const int64_t d : {24, 64, 128}) {
        for (const int64_t rotary : {int64_t{0}, d / 2, d, int64_t{6}}) {
          cases.push_back({6, 2, d, rotary, type, norm});
        }
      }
    }
  }
  cases.push_back({1, 1, 1, 0, KvType::kBf16, true});
  cases.push_back({2, 1, 7, 2, KvType::kBf16, true});
  return cases;
}

// Rows of random inputs that write to slots of fresh (all-ones) blocks.
struct Problem {
  Problem(const Case& c, int64_t count, Rng* rng)
      : kv{c.type, c.kv_heads, c.head_dim},
        qkv(NormalFloats(rng, count * (c.heads + 2 * c.kv_heads) * c.head_dim)),
        q_norm(NormalFloats(rng, c.head_dim)),
        k_norm(NormalFloats(rng, c.head_dim)),
        cos_sin(static_cast<size_t>(count * c.rotary_dim)),
        q(static_cast<size_t>(count * c.heads * c.head_dim), 1),
        blocks(static_cast<size_t>(count * kv.block_bytes())) {
    args.heads = c.heads;
    args.kv = kv;
    args.rotary_dim = c.rotary_dim;
    args.q_norm = c.norm ? q_norm.data() : nullptr;
    args.k_norm = c.norm ? k_norm.data() : nullptr;
    RopeFrequencies frequencies;
    for (int64_t i = 0; i < c.rotary_dim / 2; ++i) {
      frequencies.inv_freq.push_back(std::pow(10000.0, -2.0 * i / c.rotary_dim));
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t position = Between(rng, 0, 100000);
      float* angles = cos_sin.data() + i * c.rotary_dim;
      RopeAngles(frequencies, position, {angles, static_cast<size_t>(c.rotary_dim)});
      rows.push_back({qkv.data() + i * (c.heads + 2 * c.kv_heads) * c.head_dim,
                      q.data() + i * c.heads * c.head_dim, blocks.data() + i * kv.block_bytes(),
                      position % 64, angles});
    }
    args.rows = rows;
  }

  KvLayout kv;
  std::vector<float> qkv;
  std::vector<float> q_norm;
  std::vector<float> k_norm;
  std::vector<float> cos_sin;
  GuardedBuffer<float> q;
  GuardedBuffer<std::byte> blocks;
  std::vector<QkvRow> rows;
  QkvSplitArgs args;
};

// Half a step of codes whose scale is at most one BF16 step above largest / 127.
double Int8Bound(double largest) { return 0.501 * (1 + 2 * kBf16Round) * largest / 127; }

// A rotated pair mixes two elements: errors are relative to both.
std::vector<double> Bounds(const std::vector<double>& want, int64_t d, KvType type) {
  std::vector<double> bounds;
  for (size_t i = 0; i < want.size(); ++i) {
    double largest = 0;
    const size_t head = i / static_cast<size_t>(d) * static_cast<size_t>(d);
    for (size_t j = head; j < head + static_cast<size_t>(d); ++j) {
      largest = std::max(largest, std::abs(want[j]));
    }
    double rounding = 0;
    if (type == KvType::kBf16) rounding = kBf16Round * std::abs(want[i]);
    if (type == KvType::kInt8) rounding = Int8Bound(largest);
    bounds.push_back(SumBound(d / 2 + 12, 2 * largest) + rounding);
  }
  return bounds;
}

void CheckRow(const Problem& problem, const Case& c, size_t r) {
  const int64_t d = c.head_dim;
  const QkvRow& row = problem.rows[r];
  std::vector<double> q(static_cast<size_t>(c.heads * d));
  std::vector<double> k(static_cast<size_t>(c.kv_heads * d));
  std::vector<double> v(k.size());
  QkvSplitRef(problem.args, row, q.data(), k.data(), v.data());
  ASSERT_TRUE(Within({row.q, q.size()}, q, Bounds(q, d, KvType::kF32)));
  std::vector<float> keys;
  for (int64_t h = 0; h < c.kv_heads; ++h) {
    for (int64_t i = 0; i < d; ++i) {
      keys.push_back(KeyAt(problem.kv, row.block, h, row.slot, i));
      if (c.type == KvType::kInt8) {
        const float* row_values = row.qkv + (c.heads + c.kv_heads + h) * d;
        double largest = 0;
        for (int64_t j = 0; j < d; ++j) {
          largest = std::max(largest, std::abs(static_cast<double>(row_values[j])));
        }
        ASSERT_NEAR(ValueAt(problem.kv, row.block, h, row.slot, i), row_values[i],
                    Int8Bound(largest));
        continue;
      }
      // Values are copied or rounded once: exact.
      float value = row.qkv[(c.heads + c.kv_heads + h) * d + i];
      if (c.type == KvType::kBf16) value = Bf16ToFloat(FloatToBf16(value));
      ASSERT_EQ(ValueAt(problem.kv, row.block, h, row.slot, i), value);
    }
  }
  ASSERT_TRUE(Within(keys, k, Bounds(k, d, c.type)));
}

// Every element of the row's block but its own slot still holds what it held.
void CheckUntouched(const Problem& problem, const Case& c, size_t r) {
  const QkvRow& row = problem.rows[r];
  for (int64_t h = 0; h < c.kv_heads; ++h) {
    for (int64_t slot = 0; slot < kBlockPositions; ++slot) {
      if (slot == row.slot) continue;
      for (int64_t i = 0; i < c.head_dim; ++i) {
        ASSERT_TRUE(std::isnan(KeyAt(problem.kv, row.block, h, slot, i))) << "slot " << slot;
        ASSERT_TRUE(std::isnan(ValueAt(problem.kv, row.block, h, slot, i))) << "slot " << slot;
      }
    }
  }
}

TEST_P(QkvTest, MatchesReferenceAndTouchesNothingElse) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const Case& c : AllCases()) {
    Problem problem(c, 5, &rng);
    QkvSplit(context, problem.args);
    for (size_t r = 0; r < problem.rows.size(); ++r) {
      ASSERT_NO_FATAL_FAILURE(CheckRow(problem, c, r))
          << "d " << c.head_dim << " rotary " << c.rotary_dim << " norm " << c.norm;
      ASSERT_NO_FATAL_FAILURE(CheckUntouched(problem, c, r));
    }
  }
}

TEST_P(QkvTest, RowContract) {
  Rng rng(2);
  const Case c{9, 3, 64, 32, KvType::kInt8, true};
  Problem problem(c, 60, &rng);
  Context one(isa(), 1);
  for (const QkvRow& row : problem.rows) {
    QkvSplitArgs args = problem.args;
    args.rows = std::span(&row, 1);
    QkvSplit(one, args);
  }
  const std::vector<float> q(problem.q.data(), problem.q.data() + problem.q.size());
  const std::vector<std::byte> blocks(problem.blocks.data(),
                                      problem.blocks.data() + problem.blocks.size());
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    problem.q.Poison();
    problem.blocks.Poison();
    QkvSplit(context, problem.args);
    ASSERT_TRUE(SameBits(std::span<const float>(q),
                         std::span<const float>(problem.q.data(), problem.q.size())));
    ASSERT_EQ(std::memcmp(blocks.data(), problem.blocks.data(), blocks.size()), 0);
  }
}

// A NaN or an infinity makes a position's scale NaN, a row of zeros has scale zero.
TEST_P(QkvTest, Int8Scales) {
  Context context(isa(), 1);
  constexpr int64_t kDim = 24;
  const KvLayout kv{KvType::kInt8, 1, kDim};
  for (const float special : {std::numeric_limits<float>::quiet_NaN(),
                              -std::numeric_limits<float>::infinity(), 0.0f, 127.0f, 1e-39f}) {
    std::vector<float> qkv(3 * kDim, 0.0f);
    qkv[2 * kDim - 1] = special;
    std::vector<float> q(kDim);
    std::vector<std::byte> block(static_cast<size_t>(kv.block_bytes()));
    const QkvRow row{qkv.data(), q.data(), block.data(), 63, nullptr};
    QkvSplitArgs args;
    args.heads = 1;
    args.kv = kv;
    args.rows = std::span(&row, 1);
    QkvSplit(context, args);
    for (int64_t i = 0; i < kDim; ++i) {
      const float key = KeyAt(kv, block.data(), 0, 63, i);
      if (!std::isfinite(special)) {
        ASSERT_TRUE(std::isnan(key));
      } else {
        ASSERT_EQ(key, i == kDim - 1 && special == 127.0f ? 127.0f : 0.0f);
      }
      ASSERT_EQ(ValueAt(kv, block.data(), 0, 63, i), 0.0f);
    }
  }
}

// Rounding to BF16: ties to even, overflow to infinity, NaN stays NaN, signs of zero.
TEST_P(QkvTest, Bf16Rounding) {
  Context context(isa(), 1);
  const std::vector<float> values = {
      1.00390625f,  // a tie, down to even
      1.01171875f,  // a tie, up to even
      std::nextafterf(1.00390625f, 2.0f),
      std::nextafterf(1.01171875f, 1.0f),
      -1.00390625f,
      -0.0f,
      std::numeric_limits<float>::max(),
      std::numeric_limits<float>::infinity(),
      -std::numeric_limits<float>::infinity(),
      std::numeric_limits<float>::quiet_NaN(),
      std::bit_cast<float>(0x7f800001u),  // a NaN whose upper half alone is infinity
      std::bit_cast<float>(0xff80ffffu),
      std::numeric_limits<float>::denorm_min(),
      0x1.8p-127f,
      3.3895314e38f,  // the largest BF16
      3.4e38f,
      1.0f / 3.0f,
  };
  const auto d = static_cast<int64_t>(values.size());
  const KvLayout kv{KvType::kBf16, 1, d};
  std::vector<float> qkv(static_cast<size_t>(3 * d), 0.0f);
  std::copy(values.begin(), values.end(), qkv.begin() + d);
  std::copy(values.begin(), values.end(), qkv.begin() + 2 * d);
  std::vector<float> q(static_cast<size_t>(d));
  std::vector<std::byte> block(static_cast<size_t>(kv.block_bytes()));
  const QkvRow row{qkv.data(), q.data(), block.data(), 9, nullptr};
  QkvSplitArgs args;
  args.heads = 1;
  args.kv = kv;
  args.rows = std::span(&row, 1);
  QkvSplit(context, args);
  for (int64_t i = 0; i < d; ++i) {
    const float value = values[static_cast<size_t>(i)];
    for (const float got : {KeyAt(kv, block.data(), 0, 9, i), ValueAt(kv, block.data(), 0, 9, i)}) {
      const float want = Bf16ToFloat(FloatToBf16(value));
      ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(want)) << value;
      ASSERT_EQ(std::isnan(got), std::isnan(value));
    }
  }
  EXPECT_EQ(KeyAt(kv, block.data(), 0, 9, 0), 1.0f);
  EXPECT_EQ(KeyAt(kv, block.data(), 0, 9, 1), 1.015625f);
}

RINGLET_INSTANTIATE_ISAS(QkvTest);

}  // namespace
}  // namespace ringlet
