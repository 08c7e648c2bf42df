#include "ops/moe/combine_backward.h"

#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class CombineBackwardTest : public IsaTest {};

TEST_P(CombineBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 16, 65, 300}) {
    for (const int64_t top_k : {1, 3}) {
      for (const int64_t rows : {0, 1, 90}) {
        const std::vector<float> dout = NormalFloats(&rng, rows * n);
        const std::vector<float> projected = NormalFloats(&rng, rows * top_k * n);
        const std::vector<float> weights = NormalFloats(&rng, rows * top_k);
        GuardedBuffer<float> dprojected(projected.size(), 1);
        GuardedBuffer<float> dweights(weights.size(), 1);
        const CombineBackwardArgs args{dout.data(), projected.data(),  weights.data(), rows, top_k,
                                       n,           dprojected.data(), dweights.data()};
        CombineBackward(context, args);
        std::vector<double> want(projected.size());
        std::vector<double> want_weights(weights.size());
        CombineBackwardRef(args, want.data(), want_weights.data());
        std::vector<double> bounds;
        for (const double value : want) bounds.push_back(SumBound(1, std::abs(value)));
        std::vector<double> weight_bounds;
        for (size_t slot = 0; slot < weights.size(); ++slot) {
          double magnitude = 0;
          for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
            magnitude +=
                std::abs(projected[slot * static_cast<size_t>(n) + i] *
                         dout[slot / static_cast<size_t>(top_k) * static_cast<size_t>(n) + i]);
          }
          weight_bounds.push_back(DotBound(n, magnitude));
        }
        ASSERT_TRUE(Within(dprojected.span(), want, bounds));
        ASSERT_TRUE(Within(dweights.span(), want_weights, weight_bounds));
      }
    }
  }
}

TEST(CombineBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  const int64_t n = 5;
  std::vector<float> projected = Coarse(NormalFloats(&rng, 3 * 2 * n));
  std::vector<float> weights = Coarse(NormalFloats(&rng, 3 * 2));
  const std::vector<float> dout = NormalFloats(&rng, 3 * n);
  std::vector<double> dprojected(projected.size());
  std::vector<double> dweights(weights.size());
  CombineBackwardRef({dout.data(), projected.data(), weights.data(), 3, 2, n, nullptr, nullptr},
                     dprojected.data(), dweights.data());
  const auto loss = [&] {
    double sum = 0;
    for (size_t i = 0; i < projected.size(); ++i) {
      const size_t slot = i / 5;
      sum += static_cast<double>(weights[slot]) * projected[i] * dout[slot / 2 * 5 + i % 5];
    }
    return sum;
  };
  EXPECT_TRUE(MatchesDifferences(projected, dprojected, loss));
  EXPECT_TRUE(MatchesDifferences(weights, dweights, loss));
}

TEST_P(CombineBackwardTest, InPlaceAndThreadsGiveTheSameBytes) {
  Rng rng(3);
  const int64_t n = 70;
  const int64_t rows = 400;
  const std::vector<float> dout = NormalFloats(&rng, rows * n);
  const std::vector<float> projected = NormalFloats(&rng, rows * 2 * n);
  const std::vector<float> weights = NormalFloats(&rng, rows * 2);
  std::vector<float> want(projected.size());
  std::vector<float> want_weights(weights.size());
  std::vector<float> want_dx(dout.size());
  Context one(isa(), 1);
  for (int64_t row = 0; row < rows; ++row) {
    CombineBackward(
        one, {dout.data() + row * n, projected.data() + row * 2 * n, weights.data() + row * 2, 1, 2,
              n, want.data() + row * 2 * n, want_weights.data() + row * 2});
  }
  SumSlots(one, projected.data(), rows, 2, n, false, want_dx.data());
  for (size_t i = 0; i < want_dx.size(); ++i) {
    const size_t slot = i / 70 * 2;
    ASSERT_EQ(want_dx[i], projected[slot * 70 + i % 70] + projected[(slot + 1) * 70 + i % 70]);
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::vector<float> in_place = projected;
    std::vector<float> dweights(weights.size());
    CombineBackward(context, {dout.data(), in_place.data(), weights.data(), rows, 2, n,
                              in_place.data(), dweights.data()});
    ASSERT_TRUE(SameBits(want, in_place));
    ASSERT_TRUE(SameBits(want_weights, dweights));
    std::vector<float> dx = dout;
    SumSlots(context, projected.data(), rows, 2, n, true, dx.data());
    for (size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(dx[i], dout[i] + want_dx[i]);
  }
}

RINGLET_INSTANTIATE_ISAS(CombineBackwardTest);

}  // namespace
}  // namespace ringlet
