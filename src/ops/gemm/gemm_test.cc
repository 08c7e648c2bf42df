#include "ops/gemm/gemm.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/sanitizer.h"
#include "ops/testing/gemm_product.h"
#include "ops/testing/gemm_weights.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

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

}  // namespace
}  // namespace ringlet
