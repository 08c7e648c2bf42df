#include "ops/loss/cross_entropy.h"

#include <cstring>

#include "ops/gemm/gemm.h"
#include "ops/gemm/gemm_backward_kernels.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class CrossEntropyTest : public IsaTest {};

struct Problem {
  Problem(PackedFormat weight_format, int64_t row_count, int64_t entries, int64_t inputs, Rng* rng)
      : format(weight_format),
        rows(row_count),
        vocabulary(entries),
        k(inputs),
        x(NormalFloats(rng, rows * k)),
        w(NormalFloats(rng, entries * k, 2.0 / std::sqrt(static_cast<double>(k)))) {
    if (format == PackedFormat::kBf16) {
      for (float& value : w) value = Bf16ToFloat(FloatToBf16(value));
    }
    for (int64_t row = 0; row < rows; ++row) {
      const auto label = static_cast<int32_t>(Between(rng, 0, vocabulary - 1));
      labels.push_back(row % 4 == 1 ? -1 : label);
    }
  }
  CrossEntropyArgs args() const {
    CrossEntropyArgs args;
    args.x = x.data();
    args.labels = labels.data();
    args.rows = rows;
    args.scale = 0.5f;
    args.z_loss = 0.01f;
    return args;
  }

  PackedFormat format;
  int64_t rows;
  int64_t vocabulary;
  int64_t k;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<int32_t> labels;
};

struct Doubles {
  explicit Doubles(const Problem& p)
      : log_probs(static_cast<size_t>(p.rows)),
        lse(log_probs.size()),
        dx(p.x.size()),
        dw(p.w.size()) {}
  std::vector<double> log_probs;
  std::vector<double> lse;
  std::vector<double> dx;
  std::vector<double> dw;
};

Doubles Reference(const Problem& p) {
  Doubles want(p);
  CrossEntropyRef(p.args(), p.w.data(), p.vocabulary, p.k, want.log_probs.data(), want.lse.data(),
                  want.dx.data(), want.dw.data());
  return want;
}

// A logit is off by e: rounding of x (with BF16) and the dot product. So is lse, and by the
// roundings of its sums; a probability by a factor of both. Gradients of logits are at most scale
// (p (1 + 2 z |lse|) + onehot), rounded once more where GEMM multiplies BF16.
Doubles Bounds(const Problem& p, bool rounded) {
  Doubles bounds(p);
  const double input = rounded ? kBf16Round : 0.0;
  for (int64_t row = 0; row < p.rows; ++row) {
    const auto r = static_cast<size_t>(row);
    if (p.labels[r] < 0) {
      bounds.log_probs[r] = bounds.lse[r] = 1e-30;
      continue;
    }
    std::vector<double> logits;
    double error = 0;
    double sum = 0;
    for (int64_t v = 0; v < p.vocabulary; ++v) {
      double logit = 0;
      double magnitude = 0;
      for (int64_t i = 0; i < p.k; ++i) {
        const double term = static_cast<double>(p.x[static_cast<size_t>(row * p.k + i)]) *
                            p.w[static_cast<size_t>(v * p.k + i)];
        logit += term;
        magnitude += std::abs(term);
      }
      logits.push_back(logit);
      sum += std::exp(logit);
      error = std::max(error, DotBound(p.k, magnitude) + input * magnitude);
    }
    const double lse = std::log(sum);
    const double lse_error = 1.01 * error + 200 * kF32Round + 4 * kF32Round * std::abs(lse);
    bounds.lse[r] = lse_error;
    bounds.log_probs[r] = lse_error + error + 4 * kF32Round * (std::abs(lse) + 1.0);
    const double relative =
        1.1 * (error + lse_error) + 0x1p-20 + 2 * input + SumBound(p.vocabulary + p.rows + 20, 1.0);
    for (int64_t v = 0; v < p.vocabulary; ++v) {
      const double probability = std::exp(logits[static_cast<size_t>(v)] - lse);
      const double onehot = v == p.labels[r] ? 1.0 : 0.0;
      const double g = 0.5 * ((1.0 + 0.02 * std::abs(lse)) * probability + onehot) * relative;
      for (int64_t i = 0; i < p.k; ++i) {
        const auto xi = static_cast<size_t>(row * p.k + i);
        const auto wi = static_cast<size_t>(v * p.k + i);
        bounds.dx[xi] += g * std::abs(p.w[wi]) * 1.1;
        bounds.dw[wi] += g * std::abs(p.x[xi]) * 1.1;
      }
    }
  }
  for (auto* values : {&bounds.dx, &bounds.dw}) {
    for (double& value : *values) value += 1e-30;
  }
  return bounds;
}

struct Outputs {
  explicit Outputs(const Problem& p)
      : log_probs(static_cast<size_t>(p.rows), 1),
        lse(log_probs.size(), 2),
        dx(p.x.size(), 3),
        dw(p.w.size(), 1) {}
  void Run(Context& context, const Problem& p) {
    TrainedMatrix head(p.format, p.vocabulary, p.k);
    head.Pack(context, p.w.data());
    CrossEntropyArgs args = p.args();
    args.head = &head;
    args.log_probs = log_probs.data();
    args.lse = lse.data();
    args.dx = dx.data();
    args.dw = dw.data();
    CrossEntropy(context, args);
  }
  GuardedBuffer<double> log_probs;
  GuardedBuffer<float> lse;
  GuardedBuffer<float> dx;
  GuardedBuffer<float> dw;
};

TEST_P(CrossEntropyTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  const bool multiplies = SelectKernels(GemmBackwardTables(), isa()).multiplies_bf16;
  const int64_t shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {9, 100, 17}, {5, 1024, 8}, {6, 2500, 33}};
  for (const PackedFormat format : {PackedFormat::kF32, PackedFormat::kBf16}) {
    for (const auto& [rows, vocabulary, k] : shapes) {
      const Problem p(format, rows, vocabulary, k, &rng);
      Outputs got(p);
      got.Run(context, p);
      const Doubles want = Reference(p);
      const Doubles bounds = Bounds(p, multiplies && format == PackedFormat::kBf16);
      const auto where = [&, v = vocabulary] { return "vocabulary " + std::to_string(v); };
      ASSERT_TRUE(Within(got.log_probs.span(), want.log_probs, bounds.log_probs)) << where();
      ASSERT_TRUE(Within(got.lse.span(), want.lse, bounds.lse)) << where();
      ASSERT_TRUE(Within(got.dx.span(), want.dx, bounds.dx)) << where();
      ASSERT_TRUE(Within(got.dw.span(), want.dw, bounds.dw)) << where();
    }
  }
}

TEST(CrossEntropyRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  Problem p(PackedFormat::kF32, 3, 7, 4, &rng);
  p.x = Coarse(p.x);
  p.w = Coarse(p.w);
  const Doubles want = Reference(p);
  const auto loss = [&] {
    const Doubles at = Reference(p);
    double sum = 0;
    for (size_t i = 0; i < at.lse.size(); ++i) {
      sum += 0.5 * (-at.log_probs[i] + static_cast<double>(0.01f) * at.lse[i] * at.lse[i]);
    }
    return sum;
  };
  std::vector<double> labelled_dx = want.dx;
  EXPECT_TRUE(MatchesDifferences(p.x, labelled_dx, loss));
  EXPECT_TRUE(MatchesDifferences(p.w, want.dw, loss));
}

// The logits are the engine's, and so are the log-probabilities, to the last bit.
TEST_P(CrossEntropyTest, UsesTheEnginesLogits) {
  Context context(isa(), 2);
  Rng rng(3);
  const Problem p(PackedFormat::kBf16, 4, 1500, 40, &rng);
  Outputs got(p);
  got.Run(context, p);
  const PackedMatrix packed =
      PackFloat(context, p.format, p.vocabulary, p.k,
                [&](int64_t row, float* out) { std::copy_n(p.w.data() + row * p.k, p.k, out); });
  PreparedRows prepared;
  PrepareRows(context, p.format, p.x.data(), p.rows, p.k, &prepared);
  std::vector<float> logits(static_cast<size_t>(p.rows * p.vocabulary));
  Gemm(context, packed, prepared, logits.data());
  for (int64_t row = 0; row < p.rows; ++row) {
    const auto r = static_cast<size_t>(row);
    if (p.labels[r] < 0) continue;
    const std::span<const float> all(logits.data() + row * p.vocabulary,
                                     static_cast<size_t>(p.vocabulary));
    double sum = 0;
    for (const float logit : all) sum += std::exp(static_cast<double>(logit));
    const double lse = LogSumExp(isa(), all);
    EXPECT_NEAR(lse, std::log(sum), 2e-6 * (1.0 + std::abs(lse)));
    EXPECT_EQ(got.log_probs[r], all[static_cast<size_t>(p.labels[r])] - lse);
  }
}

TEST_P(CrossEntropyTest, RowsAreIndependentAndThreadsChangeNothing) {
  Rng rng(4);
  // More labelled rows than a block holds.
  const Problem p(PackedFormat::kF32, kLossRows + 500, 40, 3, &rng);
  Outputs want(p);
  Context one(isa(), 1);
  want.Run(one, p);
  for (int threads = 2; threads <= 4; ++threads) {
    Context context(isa(), threads);
    Outputs got(p);
    got.Run(context, p);
    ASSERT_TRUE(SameBits<double>(want.log_probs.span(), got.log_probs.span()));
    ASSERT_TRUE(SameBits<float>(want.dx.span(), got.dx.span()));
    ASSERT_TRUE(SameBits<float>(want.dw.span(), got.dw.span()));
  }
  // Every row by itself, and dw left as it is or added to.
  TrainedMatrix head(p.format, p.vocabulary, p.k);
  head.Pack(one, p.w.data());
  for (const int64_t row : {0, 1, 700, 1300}) {
    CrossEntropyArgs args = p.args();
    double log_prob = 1.0;
    std::vector<float> dx(3);
    args.head = &head;
    args.x += row * p.k;
    args.labels += row;
    args.rows = 1;
    args.log_probs = &log_prob;
    args.dx = dx.data();
    CrossEntropy(one, args);
    EXPECT_EQ(log_prob, want.log_probs[static_cast<size_t>(row)]);
    EXPECT_EQ(std::memcmp(dx.data(), want.dx.data() + row * p.k, 12), 0);
  }
  std::vector<float> sum = p.w;
  CrossEntropyArgs args = p.args();
  args.head = &head;
  args.rows = 2;
  args.dw = sum.data();
  args.add_dw = true;
  const std::vector<int32_t> masked(2, -1);
  args.labels = masked.data();
  CrossEntropy(one, args);
  EXPECT_EQ(sum, p.w);
  args.add_dw = false;
  CrossEntropy(one, args);
  EXPECT_EQ(sum, std::vector<float>(p.w.size(), 0.0f));
}

RINGLET_INSTANTIATE_ISAS(CrossEntropyTest);

}  // namespace
}  // namespace ringlet
