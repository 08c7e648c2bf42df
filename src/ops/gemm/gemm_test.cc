#include "ops/gemm/gemm.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/sanitizer.h"
#include "ops/testing/gemm_weights.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class GemmTest : public IsaTest {};

// What the operator may do to its inputs: nothing (fp32), or rounding to BF16, which the expected
// value repeats. Int8 rounding is part of the bound instead.
std::vector<float> RoundInputs(const WeightFormat& format, std::vector<float> x) {
  if (RowFormat(format.format) == PackedFormat::kBf16) {
    for (float& value : x) value = Bf16ToFloat(FloatToBf16(value));
  }
  return x;
}

// The largest |x| of each activation group of a row.
std::vector<double> GroupMaxima(const float* x, int64_t k) {
  std::vector<double> maxima;
  for (int64_t begin = 0; begin < k; begin += kQuantGroup) {
    double amax = 0;
    for (int64_t i = begin; i < begin + kQuantGroup; ++i) {
      amax = std::max(amax, std::abs(static_cast<double>(x[i])));
    }
    maxima.push_back(amax);
  }
  return maxima;
}

// Bound of one output of a quantized product: activation rounding of every group, then two fp32
// sums (codes and minimums) whose scales are products of two rounded numbers.
double QuantBound(const TestWeights& weights, const float* x, int64_t n, int64_t k) {
  const std::vector<double> maxima = GroupMaxima(x, k);
  double rounding = 0;
  double magnitude = 0;
  for (int64_t begin = 0; begin < k; begin += kQuantGroup) {
    const double amax = maxima[static_cast<size_t>(begin / kQuantGroup)];
    double weight_sum = 0;
    for (int64_t i = begin; i < begin + kQuantGroup; ++i) {
      const double w = weights.magnitudes[static_cast<size_t>(n * k + i)];
      weight_sum += std::abs(weights.values[static_cast<size_t>(n * k + i)]);
      magnitude += w * (std::abs(x[i]) + amax / 127.0);
    }
    rounding += Int8GroupBound(amax, weight_sum);
  }
  return rounding + SumBound(2 * k / weights.packed.quant.group + 6, magnitude);
}

std::vector<double> Bounds(const WeightFormat& format, const TestWeights& weights,
                           const std::vector<float>& x, int64_t rows) {
  const int64_t n = weights.packed.n;
  const int64_t k = weights.packed.k;
  std::vector<double> bounds;
  for (int64_t m = 0; m < rows; ++m) {
    const float* row = x.data() + m * k;
    for (int64_t i = 0; i < n; ++i) {
      if (format.is_quant()) {
        bounds.push_back(QuantBound(weights, row, i, k));
        continue;
      }
      double magnitude = 0;
      for (int64_t j = 0; j < k; ++j) {
        magnitude += std::abs(static_cast<double>(row[j])) *
                     weights.magnitudes[static_cast<size_t>(i * k + j)];
      }
      // FP8: the scale rounds a block's sum, and the products that the bound is held against.
      const int64_t more = format.format == PackedFormat::kFp8 ? k / kFp8Block + 3 : 0;
      bounds.push_back(DotBound(k + more, magnitude));
    }
  }
  return bounds;
}

std::vector<float> Product(Context& context, const PackedMatrix& weights,
                           const std::vector<float>& x, int64_t rows) {
  PreparedRows prepared;
  PrepareRows(context, weights.format, x.data(), rows, weights.k, &prepared);
  GuardedBuffer<float> y(static_cast<size_t>(rows * weights.n), 1);
  Gemm(context, weights, prepared, y.data());
  return {y.data(), y.data() + y.size()};
}

std::vector<int64_t> KSizes(const WeightFormat& format) {
  if (format.is_quant()) return {32, 64, 96, 992, 1024};
  if (format.format == PackedFormat::kFp8) return {1, 2, 7, 63, 65, 127, 128, 129, 257, 1000};
  return {1, 7, 63, 64, 65, 1000};
}

// One matrix against the reference, for all given row counts (ascending).
void CheckProduct(Context& context, const WeightFormat& format, int64_t n, int64_t k,
                  const std::vector<int64_t>& row_counts, Rng* rng) {
  const TestWeights weights = MakeWeights(context, format, n, k, rng);
  const int64_t most = row_counts.back();
  const std::vector<float> x = RoundInputs(format, NormalFloats(rng, most * k));
  std::vector<double> want(static_cast<size_t>(most * n));
  GemmRef(weights.packed, x.data(), most, want.data());
  const std::vector<double> bound = Bounds(format, weights, x, most);
  for (const int64_t rows : row_counts) {
    const auto count = static_cast<size_t>(rows * n);
    ASSERT_TRUE(Within(Product(context, weights.packed, x, rows), std::span(want).first(count),
                       std::span(bound).first(count)))
        << format.name << " n " << n << " k " << k << " rows " << rows;
  }
}

TEST_P(GemmTest, MatchesReferenceOnAwkwardSizes) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const WeightFormat& format : AllWeightFormats()) {
    for (const int64_t n : {1, 7, 63, 64, 65, 1000}) {
      for (const int64_t k : KSizes(format)) {
        // The float64 product is the slow part: many rows where the matrix is small.
        std::vector<int64_t> rows = {1, 3};
        if (n * k <= 6000) rows = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
        if (kSanitized && n * k > 10000) continue;
        if (n * k > 100000 && format.is_quant() && !format.quant.has_min) continue;
        ASSERT_NO_FATAL_FAILURE(CheckProduct(context, format, n, k, rows, &rng));
      }
    }
    ASSERT_NO_FATAL_FAILURE(CheckProduct(context, format, 65, 64, {97, 200}, &rng));
    if (format.format != PackedFormat::kFp8) continue;
    // Every division of rows into register blocks.
    std::vector<int64_t> counts(40);
    std::iota(counts.begin(), counts.end(), 1);
    ASSERT_NO_FATAL_FAILURE(CheckProduct(context, format, 33, 143, counts, &rng));
    ASSERT_NO_FATAL_FAILURE(CheckProduct(context, format, 65, 301, {90, 97, 105, 200}, &rng));
  }
}

TEST_P(GemmTest, ExactIntegersGiveExactResults) {
  Context context(isa(), 2);
  Rng rng(2);
  for (const WeightFormat& format : AllWeightFormats()) {
    for (const int64_t k : {int64_t{32}, int64_t{96}, 97 / format.k_step() * format.k_step()}) {
      const int64_t n = 130;
      const int64_t rows = 11;
      const TestWeights weights = MakeWeights(context, format, n, k, &rng, /*exact=*/true);
      std::vector<float> x(static_cast<size_t>(rows * k));
      for (float& value : x) value = static_cast<float>(Between(&rng, -127, 127));
      // One +-127 in each group makes the activation scale exactly 1.
      for (size_t i = 0; i < x.size(); i += kQuantGroup) {
        x[i + rng.Below(std::min<size_t>(kQuantGroup, x.size() - i))] =
            rng.Below(2) == 0 ? 127.0f : -127.0f;
      }
      std::vector<double> want(static_cast<size_t>(rows * n));
      GemmRef(weights.packed, x.data(), rows, want.data());
      const std::vector<float> got = Product(context, weights.packed, x, rows);
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_EQ(got[i], want[i]) << format.name << " k " << k << " output " << i;
      }
    }
  }
}

// Extreme codes everywhere: integer dot products must not saturate.
TEST_P(GemmTest, ExtremeCodesDoNotSaturate) {
  Context context(isa(), 1);
  for (const WeightFormat& format : AllWeightFormats()) {
    if (!format.is_quant()) continue;
    const QuantLayout& layout = format.quant;
    const int64_t k = 64;
    for (const int code : {layout.bits == 4 ? 0 : -128, layout.bits == 4 ? 15 : 127}) {
      const PackedMatrix packed =
          PackQuant(context, layout, 65, k, [&](int64_t, const QuantRow& out) {
            std::fill_n(out.codes, k, static_cast<int8_t>(code));
            std::fill_n(out.scales, k / layout.group, 1.0f);
            std::fill_n(out.mins, k / layout.group, 0.0f);
            *out.multiplier = 1.0f;
          });
      for (const float value : {127.0f, -127.0f}) {
        const std::vector<float> x(static_cast<size_t>(5 * k), value);
        for (const float got : Product(context, packed, x, 5)) {
          ASSERT_EQ(got, value * static_cast<float>((code - layout.zero_point) * k))
              << format.name << " code " << code;
        }
      }
    }
  }
}

TEST_P(GemmTest, NanInputReachesItsRowAndNoOther) {
  Context context(isa(), 1);
  Rng rng(3);
  for (const WeightFormat& format : AllWeightFormats()) {
    const int64_t k = 96;
    const int64_t n = 70;
    const TestWeights weights = MakeWeights(context, format, n, k, &rng);
    for (const int64_t rows : {1, 4, 7}) {
      std::vector<float> x = NormalFloats(&rng, rows * k);
      const std::vector<float> clean = Product(context, weights.packed, x, rows);
      for (const int64_t column : {0, 31, 50, 95}) {
        std::vector<float> dirty = x;
        const int64_t bad = rows / 2;
        dirty[static_cast<size_t>(bad * k + column)] = kNan;
        const std::vector<float> got = Product(context, weights.packed, dirty, rows);
        for (int64_t i = 0; i < rows * n; ++i) {
          const auto at = static_cast<size_t>(i);
          if (i / n == bad) {
            ASSERT_TRUE(std::isnan(got[at])) << format.name << " column " << column;
          } else {
            ASSERT_EQ(got[at], clean[at]) << format.name << " column " << column;
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, InfiniteInputs) {
  Context context(isa(), 1);
  Rng rng(4);
  for (const WeightFormat& format : AllWeightFormats()) {
    const int64_t k = 64;
    const int64_t n = 66;
    const TestWeights weights = MakeWeights(context, format, n, k, &rng);
    std::vector<float> x = NormalFloats(&rng, 3 * k);
    x[static_cast<size_t>(k + 5)] = kInf;
    const std::vector<float> got = Product(context, weights.packed, x, 3);
    for (int64_t i = 0; i < 3 * n; ++i) {
      const float value = got[static_cast<size_t>(i)];
      if (i / n != 1) {
        ASSERT_TRUE(std::isfinite(value)) << format.name;
      } else if (format.is_quant()) {
        ASSERT_TRUE(std::isnan(value)) << format.name;
      } else {
        const float w = weights.values[static_cast<size_t>((i - n) * k + 5)];
        if (w == 0) {
          ASSERT_TRUE(std::isnan(value)) << format.name;
        } else {
          ASSERT_EQ(value, w > 0 ? kInf : -kInf) << format.name;
        }
      }
    }
  }
}

TEST_P(GemmTest, NanWeightReachesItsOutputAndNoOther) {
  Context context(isa(), 1);
  Rng rng(5);
  for (const PackedFormat format : {PackedFormat::kF32, PackedFormat::kBf16}) {
    const int64_t k = 33;
    const int64_t n = 67;
    const std::vector<float> x = NormalFloats(&rng, 8 * k);
    const PackedMatrix packed = PackFloat(context, format, n, k, [&](int64_t row, float* out) {
      std::fill_n(out, k, 1.0f);
      if (row == 65) out[k - 1] = kNan;
    });
    const std::vector<float> got = Product(context, packed, x, 8);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(std::isnan(got[i]), i % static_cast<size_t>(n) == 65) << i;
    }
  }
  const QuantLayout layout{.bits = 8, .group = 16, .has_min = true, .scales = ScaleType::kF32};
  const int64_t n = 67;
  const PackedMatrix packed =
      PackQuant(context, layout, n, 64, [&](int64_t row, const QuantRow& to) {
        std::fill_n(to.codes, 64, static_cast<int8_t>(3));
        std::fill_n(to.scales, 4, 1.0f);
        std::fill_n(to.mins, 4, 0.0f);
        if (row == 1) to.scales[3] = kNan;
        if (row == 66) to.mins[0] = kNan;
      });
  const std::vector<float> got = Product(context, packed, NormalFloats(&rng, 8 * 64), 8);
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t column = i % static_cast<size_t>(n);
    ASSERT_EQ(std::isnan(got[i]), column == 1 || column == 66) << i;
  }
}

// In either place of a pair, first and last of a block, on the way of few rows and of many.
TEST_P(GemmTest, EveryFp8CodeIsExact) {
  Context context(isa(), 1);
  const int64_t n = 256;
  for (const int64_t k : {1, 2, 129}) {
    for (const int64_t at : {int64_t{0}, k - 1}) {
      const PackedMatrix packed = PackFp8(context, n, k, [&](int64_t row, const Fp8Row& to) {
        std::fill_n(to.codes, k, uint8_t{0});
        std::fill_n(to.scales, (k + kFp8Block - 1) / kFp8Block, 0x1p-3f);
        to.codes[at] = static_cast<uint8_t>(row);
      });
      for (const int64_t rows : {1, 2, 6, 13}) {
        std::vector<float> x(static_cast<size_t>(rows * k), 0.0f);
        for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * k + at)] = 2.0f;
        const std::vector<float> got = Product(context, packed, x, rows);
        for (size_t i = 0; i < got.size(); ++i) {
          const float want = F8E4M3ToFloat(static_cast<uint8_t>(i)) * 0.25f;
          if (std::isnan(want)) {
            ASSERT_TRUE(std::isnan(got[i])) << "code " << i % 256;
          } else {
            ASSERT_EQ(got[i], want) << "code " << i % 256 << " rows " << rows << " k " << k;
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, Fp8NanReachesItsOutputAndNoOther) {
  Context context(isa(), 1);
  Rng rng(10);
  const int64_t k = 200;
  const int64_t n = 67;
  const PackedMatrix packed = PackFp8(context, n, k, [&](int64_t row, const Fp8Row& to) {
    std::fill_n(to.codes, k, uint8_t{0x38});
    std::fill_n(to.scales, 2, 1.0f);
    if (row == 1) to.codes[0] = 0x7f;
    if (row == 30) to.scales[1] = kNan;
    if (row == 66) to.codes[k - 1] = 0xff;
  });
  for (const int64_t rows : {1, 4, 9}) {
    const std::vector<float> got = Product(context, packed, NormalFloats(&rng, rows * k), rows);
    for (size_t i = 0; i < got.size(); ++i) {
      const size_t column = i % static_cast<size_t>(n);
      ASSERT_EQ(std::isnan(got[i]), column == 1 || column == 30 || column == 66) << i;
    }
  }
}

// Group maxima from 0 through subnormals to the largest float: never NaN, never more than the
// bound.
TEST_P(GemmTest, ActivationScalesOfAnySize) {
  Context context(isa(), 1);
  Rng rng(6);
  const WeightFormat format{"q8", PackedFormat::kQuant, {8, 32, 0, false, ScaleType::kF32}};
  const int64_t k = 32;
  const TestWeights weights = MakeWeights(context, format, 64, k, &rng);
  for (int exponent = -149; exponent <= 120; ++exponent) {
    std::vector<float> x = NormalFloats(&rng, k);
    for (float& value : x) value = std::ldexp(value, exponent);
    const std::vector<float> got = Product(context, weights.packed, x, 1);
    std::vector<double> want(64);
    GemmRef(weights.packed, x.data(), 1, want.data());
    std::vector<double> bound = Bounds(format, weights, x, 1);
    // Groups below 2^-100 may count as zero.
    for (double& value : bound) value += 0x1p-100 * 32.0 * 4.0;
    ASSERT_TRUE(Within(got, want, bound)) << "exponent " << exponent;
  }
  const std::vector<float> zeros(static_cast<size_t>(k), 0.0f);
  for (const float value : Product(context, weights.packed, zeros, 1)) ASSERT_EQ(value, 0.0f);
}

// A row's bytes are the same alone, in any batch, in any order, repeated, on any number of threads.
TEST_P(GemmTest, RowContract) {
  Rng rng(7);
  for (const WeightFormat& format : AllWeightFormats()) {
    Context one(isa(), 1);
    // Longer than what kernels of many rows take at once.
    const int64_t k = format.is_quant() ? 608 : (format.format == PackedFormat::kFp8 ? 387 : 99);
    const int64_t n = 150;
    const int64_t rows = 23;
    const TestWeights weights = MakeWeights(one, format, n, k, &rng);
    const std::vector<float> x = NormalFloats(&rng, rows * k);
    std::vector<float> alone;
    for (int64_t i = 0; i < rows; ++i) {
      const std::vector<float> row(x.begin() + i * k, x.begin() + (i + 1) * k);
      const std::vector<float> y = Product(one, weights.packed, row, 1);
      alone.insert(alone.end(), y.begin(), y.end());
    }
    for (int threads = 1; threads <= 4; ++threads) {
      Context context(isa(), threads);
      ASSERT_TRUE(SameBits(alone, Product(context, weights.packed, x, rows)))
          << format.name << " threads " << threads;
      PreparedRows prepared;
      PrepareRows(context, format.format, x.data(), rows, k, &prepared);
      for (int64_t count = 1; count <= 110; count += 1 + count / 3) {
        GemmJob job;
        job.weights = &weights.packed;
        std::vector<int64_t> picked;
        GuardedBuffer<float> y(static_cast<size_t>(count * n));
        for (int64_t i = 0; i < count; ++i) {
          picked.push_back(Between(&rng, 0, rows - 1));
          job.inputs.push_back(prepared.row(picked.back()));
          job.outputs.push_back(y.data() + i * n);
        }
        Gemm(context, std::span(&job, 1));
        for (int64_t i = 0; i < count; ++i) {
          const auto from = static_cast<size_t>(picked[static_cast<size_t>(i)] * n);
          ASSERT_TRUE(SameBits(std::span<const float>(alone).subspan(from, n),
                               std::span<const float>(y.data() + i * n, n)))
              << format.name << " row " << i << " of " << count;
        }
      }
    }
  }
}

// Rows of an operator, computed and prepared in one region.
TEST_P(GemmTest, PreparesRowsOfASource) {
  Rng rng(9);
  for (const PackedFormat format :
       {PackedFormat::kF32, PackedFormat::kBf16, PackedFormat::kQuant}) {
    for (const int64_t rows : {1, 2, 7, 300}) {
      Context context(isa(), 3);
      const int64_t k = 128;  // of which no format leaves bytes unused
      const std::vector<float> x = NormalFloats(&rng, rows * k);
      PreparedRows want;
      PrepareRows(context, format, x.data(), rows, k, &want);
      const RowSource source{rows, k, 2 * k, [&](int64_t row, float* out) {
                               std::copy_n(x.data() + row * k, k, out);
                             }};
      GuardedBuffer<float> values(static_cast<size_t>(rows * k));
      PreparedRows fused;
      PrepareRows(context, format, source, values.data(), &fused);
      ASSERT_TRUE(SameBits(std::span<const float>(x), std::span<const float>(values.span())));
      for (int64_t row = 0; row < rows; ++row) {
        ASSERT_EQ(std::memcmp(want.row(row), fused.row(row), want.row_bytes()), 0) << row;
      }
    }
  }
}

// Many jobs of different formats and shapes, some without rows; outputs apart from each other, and
// what lies between them stays untouched.
TEST_P(GemmTest, GroupedJobs) {
  Context context(isa(), 3);
  Rng rng(8);
  const std::vector<WeightFormat> formats = AllWeightFormats();
  struct Expert {
    TestWeights weights;
    std::vector<float> x;
    PreparedRows prepared;
    int64_t rows;
    int64_t first_output;
  };
  std::vector<Expert> experts(60);
  const int64_t stride = 70;
  int64_t outputs = 0;
  for (size_t e = 0; e < experts.size(); ++e) {
    Expert& expert = experts[e];
    const WeightFormat& format = formats[e % formats.size()];
    const int64_t k = 32 * Between(&rng, 1, 4);
    expert.weights = MakeWeights(context, format, Between(&rng, 1, 69), k, &rng);
    expert.rows = e % 5 == 0 ? 0 : Between(&rng, 1, 9);
    expert.x = NormalFloats(&rng, expert.rows * k);
    PrepareRows(context, format.format, expert.x.data(), expert.rows, k, &expert.prepared);
    expert.first_output = outputs;
    outputs += expert.rows;
  }
  GuardedBuffer<float> y(static_cast<size_t>(outputs * stride));
  std::vector<GemmJob> jobs;
  for (const Expert& expert : experts) {
    GemmJob job;
    job.weights = &expert.weights.packed;
    for (int64_t i = 0; i < expert.rows; ++i) {
      job.inputs.push_back(expert.prepared.row(i));
      job.outputs.push_back(y.data() + (expert.first_output + i) * stride);
    }
    jobs.push_back(std::move(job));
  }
  Gemm(context, jobs);
  for (const Expert& expert : experts) {
    const int64_t n = expert.weights.packed.n;
    if (expert.rows == 0) continue;
    const std::vector<float> want = Product(context, expert.weights.packed, expert.x, expert.rows);
    for (int64_t i = 0; i < expert.rows; ++i) {
      const float* got = y.data() + (expert.first_output + i) * stride;
      ASSERT_TRUE(SameBits(std::span<const float>(want).subspan(static_cast<size_t>(i * n), n),
                           std::span<const float>(got, static_cast<size_t>(n))));
      for (int64_t c = n; c < stride; ++c) ASSERT_TRUE(std::isnan(got[c])) << "column " << c;
    }
  }
  Gemm(context, std::span<const GemmJob>());
}

RINGLET_INSTANTIATE_ISAS(GemmTest);

TEST(PackedMatrixTest, UnpacksWhatWasPacked) {
  Context context(IsaChoice::Detect(), 2);
  Rng rng(9);
  for (const WeightFormat& format : AllWeightFormats()) {
    for (const int64_t n : {1, 63, 64, 65, 200}) {
      const int64_t k = format.is_quant() ? 96 : 261;
      const TestWeights weights = MakeWeights(context, format, n, k, &rng);
      std::vector<float> row(static_cast<size_t>(k));
      for (int64_t i = 0; i < n; ++i) {
        UnpackRow(weights.packed, i, row.data());
        ASSERT_TRUE(SameBits(std::span<const float>(weights.values)
                                 .subspan(static_cast<size_t>(i * k), static_cast<size_t>(k)),
                             std::span<const float>(row)))
            << format.name << " row " << i;
      }
    }
  }
}

TEST(PackedMatrixTest, LayoutsWithKernels) {
  int count = 0;
  for (const int bits : {2, 4, 8}) {
    for (const int group : {8, 16, 32, 64}) {
      for (const bool has_min : {false, true}) {
        for (const ScaleType scales : {ScaleType::kF16, ScaleType::kF32}) {
          count += IsSupported({bits, group, 0, has_min, scales});
        }
      }
    }
  }
  EXPECT_EQ(count, 9);
  EXPECT_TRUE(IsSupported(kInt4Layout));
  EXPECT_FALSE(IsSupported({4, 32, 8, false, ScaleType::kInt8}));
  EXPECT_FALSE(IsSupported({8, 16, 8, false, ScaleType::kInt8}));
  EXPECT_FALSE(IsSupported({4, 16, 8, true, ScaleType::kInt8}));
}

TEST(PackedMatrixTest, SizeIsWhatTheHeaderSays) {
  Context context(IsaChoice::Detect(), 1);
  const auto fill = [](int64_t, float* out) { out[0] = 1.0f; };
  EXPECT_EQ(PackFloat(context, PackedFormat::kF32, 65, 1, fill).data.size(), 2u * 64 * 4);
  EXPECT_EQ(PackFloat(context, PackedFormat::kBf16, 64, 1, fill).data.size(), 64u * 4);
  const QuantLayout q4{.bits = 4, .group = 32, .has_min = true, .scales = ScaleType::kF16};
  EXPECT_EQ(q4.GroupBytes(), 64 * 16 + 64 * 2 + 64 * 2);
  const QuantLayout q8{.bits = 8, .group = 16, .has_min = false, .scales = ScaleType::kF32};
  EXPECT_EQ(q8.GroupBytes(), 64 * 16 + 64 * 4);
  const PackedMatrix fp8 = PackFp8(context, 65, 131, [](int64_t, const Fp8Row& row) {
    std::fill_n(row.codes, 131, uint8_t{0});
    std::fill_n(row.scales, 2, 1.0f);
  });
  EXPECT_EQ(fp8.data.size(), 2u * (64 * 128 + 64 * 4 + 64 * 4 + 64 * 4));
  // 4.5 bits per weight and 4 bytes per output.
  EXPECT_EQ(kInt4Layout.PanelBytes(2048), 64 * 2048 * 9 / 16 + 64 * 4);
  EXPECT_EQ(kInt4Layout.PanelBytes(32) % 64, 0);
}

}  // namespace
}  // namespace ringlet
