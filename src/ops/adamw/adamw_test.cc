#include "ops/adamw/adamw.h"

#include <limits>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class AdamWTest : public IsaTest {};

// Master weights, moments and a gradient as they are in the middle of a run.
struct State {
  std::vector<float> grad, weight, mean, square;

  State(Rng* rng, int64_t n, double scale)
      : grad(NormalFloats(rng, n, scale)),
        weight(NormalFloats(rng, n)),
        mean(NormalFloats(rng, n, scale)),
        square(NormalFloats(rng, n, scale)) {
    for (float& x : square) x *= x;
  }
  AdamWArgs Args() {
    AdamWArgs args;
    args.grad = grad.data();
    args.weight = weight.data();
    args.mean = mean.data();
    args.square = square.data();
    args.n = static_cast<int64_t>(grad.size());
    args.lr = 3e-3;
    args.decay = 0.1;
    return args;
  }
};

TEST_P(AdamWTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 15, 16, 17, 1000, 65535, 65536, 65537}) {
    for (const int64_t step : {1, 2, 1000}) {
      for (const double scale : {1e-6, 1.0}) {
        State state(&rng, n, scale);
        AdamWArgs args = state.Args();
        args.step = step;
        args.grad_scale = 0.37;
        const auto count = static_cast<size_t>(n);
        std::vector<double> weight(count), mean(count), square(count);
        AdamWRef(args, weight.data(), mean.data(), square.data());
        std::vector<double> weight_bound, mean_bound, square_bound;
        for (size_t i = 0; i < count; ++i) {
          const double g = 0.37 * std::abs(state.grad[i]);
          // Four roundings a term (three products, their factors, the sum), six for the square.
          const double m = 0.9 * std::abs(state.mean[i]) + 0.1 * g;
          mean_bound.push_back(SumBound(5, m));
          square_bound.push_back(SumBound(7, square[i]));
          // The direction: error of m through the quotient, and of the quotient itself.
          const double c1 = 1.0 - std::pow(0.9, static_cast<double>(step));
          const double c2 = 1.0 - std::pow(0.95, static_cast<double>(step));
          const double direction = args.lr * m / c1 / (std::sqrt(square[i] / c2) + args.eps);
          weight_bound.push_back(
              SumBound(16, direction + args.lr * args.decay * std::abs(state.weight[i])) +
              SumBound(1, std::abs(weight[i])));
        }
        GuardedBuffer<float> w(count, 1), m(count, 2), v(count, 3);
        std::ranges::copy(state.weight, w.data());
        std::ranges::copy(state.mean, m.data());
        std::ranges::copy(state.square, v.data());
        args.weight = w.data();
        args.mean = m.data();
        args.square = v.data();
        AdamW(context, args);
        ASSERT_TRUE(Within(m.span(), mean, mean_bound)) << "mean, n " << n;
        ASSERT_TRUE(Within(v.span(), square, square_bound)) << "square, n " << n;
        ASSERT_TRUE(Within(w.span(), weight, weight_bound))
            << "weight, n " << n << " step " << step;
      }
    }
  }
}

// The first step moves every weight by the learning rate, whatever the size of the gradient: what
// bias correction is for.
TEST_P(AdamWTest, TheFirstStepHasTheSizeOfTheLearningRate) {
  Context context(isa(), 1);
  std::vector<float> grad = {1e-3f, -40.0f, 2.0f}, weight(3), mean(3), square(3);
  AdamWArgs args;
  args.grad = grad.data();
  args.weight = weight.data();
  args.mean = mean.data();
  args.square = square.data();
  args.n = 3;
  args.lr = 0.5;
  AdamW(context, args);
  EXPECT_NEAR(weight[0], -0.5, 1e-5);
  EXPECT_NEAR(weight[1], 0.5, 1e-6);
  EXPECT_NEAR(weight[2], -0.5, 1e-6);
}

// Decay shrinks a weight that has no gradient by lr * decay, and not through the moments.
TEST_P(AdamWTest, DecayIsDecoupled) {
  Context context(isa(), 1);
  std::vector<float> grad(20), weight(20, 2.0f), mean(20), square(20);
  AdamWArgs args;
  args.grad = grad.data();
  args.weight = weight.data();
  args.mean = mean.data();
  args.square = square.data();
  args.n = 20;
  args.lr = 0.25;
  args.decay = 0.5;
  AdamW(context, args);
  for (const float w : weight) EXPECT_EQ(w, 1.75f);
  for (const float m : mean) EXPECT_EQ(m, 0.0f);
}

TEST_P(AdamWTest, ThreadsAndSetsDoNotChangeBits) {
  Rng rng(3);
  const State start(&rng, 200'003, 0.01);
  State want = start;
  Context scalar(IsaChoice::Force("scalar").value(), 1);
  AdamW(scalar, want.Args());
  const std::span<const float> part(start.grad);
  const std::vector<std::span<const float>> parts = {part.first(70'001), part.subspan(70'001)};
  const double sum = SumOfSquares(scalar, parts);
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    State got = start;
    AdamW(context, got.Args());
    ASSERT_TRUE(SameBits(want.weight, got.weight));
    ASSERT_TRUE(SameBits(want.mean, got.mean));
    ASSERT_TRUE(SameBits(want.square, got.square));
    ASSERT_EQ(sum, SumOfSquares(context, parts)) << threads;
  }
}

TEST_P(AdamWTest, SumOfSquaresMatchesReference) {
  Context context(isa(), 2);
  Rng rng(4);
  for (const size_t n : {0, 1, 15, 16, 17, 4095, 4096, 4097, 65537, 300'000}) {
    const std::vector<float> x = NormalFloats(&rng, static_cast<int64_t>(n), 1e18);
    const std::vector<std::span<const float>> parts = {std::span(x).first(n / 3),
                                                       std::span(x).subspan(n / 3)};
    const double want = SumOfSquaresRef(parts);
    EXPECT_NEAR(SumOfSquares(context, parts), want, want * 300.0 * 0x1p-53) << n;
  }
}

TEST_P(AdamWTest, SumOfSquaresShowsWhatIsNotFinite) {
  Context context(isa(), 2);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(100'000, 1.0f);
    x[77'777] = bad;
    const std::vector<std::span<const float>> parts = {x};
    EXPECT_FALSE(std::isfinite(SumOfSquares(context, parts)));
  }
}

RINGLET_INSTANTIATE_ISAS(AdamWTest);

}  // namespace
}  // namespace ringlet
