#include "ops/norm/norm.h"

#include <limits>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class NormTest : public IsaTest {};

// Relative: half of the mean's relative error (n + 2 roundings), the root and the division, three
// products; with a gate the sigmoid's exponential (2 ulp), sum and division.
std::vector<double> Bounds(const std::vector<double>& want, int64_t n, bool gate) {
  std::vector<double> bounds;
  for (const double value : want)
    bounds.push_back(SumBound(n / 2 + 8 + (gate ? 8 : 0), std::abs(value)));
  return bounds;
}

TEST_P(NormTest, RmsNormMatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 8, 16, 63, 64, 65, 1000, 2048}) {
    for (const int64_t rows : {1, 3, 40}) {
      for (const double scale : {1.0, 1e-4, 1e6}) {
        const std::vector<float> x = NormalFloats(&rng, rows * n, scale);
        const std::vector<float> weight = NormalFloats(&rng, n);
        GuardedBuffer<float> y(x.size(), 1);
        const RmsNormArgs args{x.data(), weight.data(), y.data(), rows, n, 1e-6f};
        RmsNorm(context, args);
        std::vector<double> want(x.size());
        RmsNormRef(args, want.data());
        ASSERT_TRUE(Within(y.span(), want, Bounds(want, n, false))) << "n " << n;
      }
    }
  }
}

TEST_P(NormTest, GroupNormGateMatchesReference) {
  Context context(isa(), 2);
  Rng rng(2);
  for (const int64_t width : {1, 7, 63, 64, 65, 512}) {
    for (const int64_t groups : {1, 3, 8}) {
      const int64_t rows = 5;
      const int64_t n = width * groups;
      std::vector<float> x = NormalFloats(&rng, rows * n);
      // Groups of different size: a mean over the wrong elements shows.
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] *= static_cast<float>(1 + static_cast<int64_t>(i) / width % groups);
      }
      const std::vector<float> gate = NormalFloats(&rng, rows * n, 5.0);
      const std::vector<float> weight = NormalFloats(&rng, n);
      GuardedBuffer<float> y(x.size(), 1);
      const GroupNormGateArgs args{x.data(), gate.data(), weight.data(), y.data(),
                                   rows,     n,           groups,        1e-6f};
      GroupNormGate(context, args);
      std::vector<double> want(x.size());
      GroupNormGateRef(args, want.data());
      ASSERT_TRUE(Within(y.span(), want, Bounds(want, width, true)))
          << "width " << width << " groups " << groups;
    }
  }
}

TEST_P(NormTest, InPlaceAndThreadsGiveTheSameBytes) {
  Rng rng(3);
  const int64_t n = 65;
  const int64_t rows = 700;
  const std::vector<float> x = NormalFloats(&rng, rows * n);
  const std::vector<float> weight = NormalFloats(&rng, n);
  std::vector<float> alone(x.size());
  Context one(isa(), 1);
  for (int64_t row = 0; row < rows; ++row) {
    RmsNorm(one, {x.data() + row * n, weight.data(), alone.data() + row * n, 1, n, 1e-6f});
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::vector<float> y = x;
    RmsNorm(context, {y.data(), weight.data(), y.data(), rows, n, 1e-6f});
    ASSERT_TRUE(SameBits(alone, y)) << "threads " << threads;
  }
}

TEST_P(NormTest, NanStaysInItsRowAndGroup) {
  Context context(isa(), 1);
  std::vector<float> x(3 * 40, 1.0f);
  const std::vector<float> gate(x.size(), 0.0f);
  const std::vector<float> weight(40, 1.0f);
  x[40 + 25] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> y(x.size());
  RmsNorm(context, {x.data(), weight.data(), y.data(), 3, 40, 1e-6f});
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::isnan(y[i]), i / 40 == 1) << i;
  GroupNormGate(context, {x.data(), gate.data(), weight.data(), y.data(), 3, 40, 2, 1e-6f});
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::isnan(y[i]), i / 20 == 3) << i;
}

TEST_P(NormTest, ZeroRowUsesEpsilon) {
  Context context(isa(), 1);
  const std::vector<float> x(33, 0.0f);
  const std::vector<float> weight(33, 2.0f);
  std::vector<float> y(33, 1.0f);
  RmsNorm(context, {x.data(), weight.data(), y.data(), 1, 33, 1e-6f});
  for (const float value : y) ASSERT_EQ(value, 0.0f);
  RmsNorm(context, {x.data(), weight.data(), y.data(), 0, 33, 1e-6f});
}

RINGLET_INSTANTIATE_ISAS(NormTest);

}  // namespace
}  // namespace ringlet
