#include "ops/swiglu/swiglu_backward.h"

#include <limits>

#include "ops/swiglu/swiglu.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class SwiGluBackwardTest : public IsaTest {};

// The exponential (4 roundings, in s and in 1 - s), sums, divisions and products of a term, times
// its magnitude: 1 + gate (1 - s) cancels near gate = -1.28. Below gate -80 s is that of -80.
std::vector<double> Bounds(const std::vector<float>& x, const std::vector<float>& dy, int64_t rows,
                           int64_t n) {
  std::vector<double> bounds(x.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(row * 2 * n + i);
      const double gate = x[at];
      const double up = std::abs(x[at + static_cast<size_t>(n)]);
      const double dout = std::abs(dy[static_cast<size_t>(row * n + i)]);
      const double s = 1.0 / (1.0 + std::exp(-gate));
      const double tiny = 0x1p-110 * dout * (1.0 + std::abs(gate));
      bounds[at] =
          SumBound(20, dout * up * s * (1.0 + std::abs(gate) / (1.0 + std::exp(gate)))) + tiny * up;
      bounds[at + static_cast<size_t>(n)] = SumBound(10, dout * std::abs(gate) * s) + tiny;
    }
  }
  return bounds;
}

TEST_P(SwiGluBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 15, 16, 17, 63, 64, 65, 1000}) {
    for (const int64_t rows : {0, 1, 2, 50}) {
      for (const double scale : {1.0, 40.0}) {
        const std::vector<float> x = NormalFloats(&rng, rows * 2 * n, scale);
        const std::vector<float> dy = NormalFloats(&rng, rows * n);
        GuardedBuffer<float> dx(x.size(), 1);
        SwiGluBackward(context, x.data(), dy.data(), rows, n, dx.data());
        std::vector<double> want(x.size());
        SwiGluBackwardRef(x.data(), dy.data(), rows, n, want.data());
        ASSERT_TRUE(Within(dx.span(), want, Bounds(x, dy, rows, n))) << n << " x " << rows;
      }
    }
  }
}

TEST(SwiGluBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  const int64_t n = 11;
  std::vector<float> x = Coarse(NormalFloats(&rng, 2 * 2 * n, 2.0));
  const std::vector<float> dy = NormalFloats(&rng, 2 * n);
  std::vector<double> dx(x.size());
  SwiGluBackwardRef(x.data(), dy.data(), 2, n, dx.data());
  std::vector<double> y(dy.size());
  EXPECT_TRUE(MatchesDifferences(x, dx, [&] {
    SwiGluRef(x.data(), 2, n, y.data());
    return Inner(dy, y);
  }));
}

TEST_P(SwiGluBackwardTest, RowsAreIndependentAlsoInPlace) {
  Rng rng(3);
  const int64_t n = 37;
  const int64_t rows = 600;
  const std::vector<float> x = NormalFloats(&rng, rows * 2 * n);
  const std::vector<float> dy = NormalFloats(&rng, rows * n);
  std::vector<float> alone(x.size());
  Context one(isa(), 1);
  for (int64_t row = 0; row < rows; ++row) {
    SwiGluBackward(one, x.data() + row * 2 * n, dy.data() + row * n, 1, n,
                   alone.data() + row * 2 * n);
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::vector<float> dx = x;
    SwiGluBackward(context, dx.data(), dy.data(), rows, n, dx.data());
    ASSERT_TRUE(SameBits(alone, dx));
  }
}

TEST_P(SwiGluBackwardTest, SpecialValues) {
  Context context(isa(), 1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  //                          gate                            up
  const std::vector<float> x = {0, -200, 200, kNan, 1, kInf, 3, 2, 5, 1, kNan, 2};
  const std::vector<float> dy(6, 1.0f);
  std::vector<float> dx(12);
  SwiGluBackward(context, x.data(), dy.data(), 1, 6, dx.data());
  EXPECT_EQ(dx[0], 1.5f);
  EXPECT_NEAR(dx[1], 0.0f, 1e-30);
  EXPECT_EQ(dx[2], 5.0f);
  EXPECT_EQ(dx[8], 200.0f);
  EXPECT_TRUE(std::isnan(dx[3]));
  EXPECT_TRUE(std::isnan(dx[9]));
  EXPECT_TRUE(std::isnan(dx[4]));
  EXPECT_FALSE(std::isnan(dx[10]));
}

RINGLET_INSTANTIATE_ISAS(SwiGluBackwardTest);

}  // namespace
}  // namespace ringlet
