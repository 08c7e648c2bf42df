#include "ops/swiglu/swiglu.h"

#include <limits>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class SwiGluTest : public IsaTest {};

TEST_P(SwiGluTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 15, 16, 17, 63, 64, 65, 1000}) {
    for (const int64_t rows : {1, 2, 50}) {
      for (const double scale : {1.0, 30.0}) {
        const std::vector<float> x = NormalFloats(&rng, rows * 2 * n, scale);
        GuardedBuffer<float> y(static_cast<size_t>(rows * n), 1);
        SwiGlu(context, x.data(), rows, n, y.data());
        std::vector<double> want(y.size());
        SwiGluRef(x.data(), rows, n, want.data());
        // The exponential (2 ulp = 4 roundings), sum, division and two products. Beyond e^88 the
        // sigmoid is below the smallest normal number: an absolute error of that times the inputs.
        std::vector<double> bound;
        for (size_t i = 0; i < want.size(); ++i) {
          bound.push_back(SumBound(9, std::abs(want[i])) + 0x1p-120 * scale * scale);
        }
        ASSERT_TRUE(Within(y.span(), want, bound)) << "n " << n << " rows " << rows;
      }
    }
  }
}

TEST_P(SwiGluTest, SpecialValues) {
  Context context(isa(), 1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  //                         gate                              up
  const std::vector<float> x = {0, -200, 200, kInf, kNan, 1, 1, 1, 3, 2, kNan, 1};
  std::vector<float> y(6);
  SwiGlu(context, x.data(), 1, 6, y.data());
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(y[2], 600.0f);
  EXPECT_EQ(y[3], kInf);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_NEAR(y[5], 0.7310585786, 1e-6);
}

TEST_P(SwiGluTest, RowsAreIndependent) {
  Rng rng(2);
  const int64_t n = 37;
  const int64_t rows = 600;
  const std::vector<float> x = NormalFloats(&rng, rows * 2 * n);
  std::vector<float> alone(static_cast<size_t>(rows * n));
  Context one(isa(), 1);
  for (int64_t row = 0; row < rows; ++row) {
    SwiGlu(one, x.data() + row * 2 * n, 1, n, alone.data() + row * n);
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::vector<float> y(alone.size());
    SwiGlu(context, x.data(), rows, n, y.data());
    ASSERT_TRUE(SameBits(alone, y));
  }
}

// silu(g) * 1 over gates of every size tells the exponential apart: e^-g / (1 + e^-g) at large g
// would lose the result below 2^-24.
TEST_P(SwiGluTest, NegativeGatesKeepTheirPrecision) {
  Context context(isa(), 1);
  std::vector<float> x;
  for (int i = 0; i < 860; ++i) x.push_back(-0.1f * static_cast<float>(i + 1));
  const auto n = static_cast<int64_t>(x.size());
  x.resize(2 * x.size(), 1.0f);
  std::vector<float> y(static_cast<size_t>(n));
  SwiGlu(context, x.data(), 1, n, y.data());
  std::vector<double> want(y.size());
  SwiGluRef(x.data(), 1, n, want.data());
  std::vector<double> bound;
  for (const double value : want) bound.push_back(SumBound(9, std::abs(value)));
  ASSERT_TRUE(Within(y, want, bound));
}

RINGLET_INSTANTIATE_ISAS(SwiGluTest);

}  // namespace
}  // namespace ringlet
