#include "ops/norm/norm_backward.h"

#include <limits>

#include "ops/norm/norm.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class NormBackwardTest : public IsaTest {};

// Rows of an operator's inputs, upstream gradient included.
struct Rows {
  Rows(int64_t row_count, int64_t width, int64_t group_count, Rng* rng)
      : rows(row_count),
        n(width),
        groups(group_count),
        x(NormalFloats(rng, rows * n)),
        gate(NormalFloats(rng, rows * n, 3.0)),
        weight(NormalFloats(rng, n)),
        dy(NormalFloats(rng, rows * n)) {
    // Groups of different size: a mean over the wrong elements shows.
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] *= static_cast<float>(1 + static_cast<int64_t>(i) / (n / groups) % groups);
    }
  }
  RmsNormBackwardArgs Plain(float* dx, float* dweight) const {
    return {x.data(), weight.data(), dy.data(), dx, dweight, rows, n, 1e-6f, false, false};
  }
  GroupNormGateBackwardArgs Gated(float* dx, float* dgate, float* dweight) const {
    return {x.data(), gate.data(), weight.data(), dy.data(), dx,   dgate, dweight,
            rows,     n,           groups,        1e-6f,     false};
  }

  int64_t rows;
  int64_t n;
  int64_t groups;
  std::vector<float> x;
  std::vector<float> gate;
  std::vector<float> weight;
  std::vector<float> dy;
};

struct Gradients {
  explicit Gradients(const Rows& rows)
      : dx(rows.x.size()), dgate(rows.x.size()), dweight(static_cast<size_t>(rows.n)) {}
  std::vector<double> dx;
  std::vector<double> dgate;
  std::vector<double> dweight;
};

// The sums of magnitudes that rounding errors are relative to; gate null: without.
Gradients Magnitudes(const Rows& rows, bool gated) {
  Gradients m(rows);
  const int64_t width = rows.n / rows.groups;
  for (int64_t begin = 0; begin < rows.rows * rows.n; begin += width) {
    const auto at = [&](const std::vector<float>& values, int64_t i) {
      return std::abs(static_cast<double>(values[static_cast<size_t>(begin + i)]));
    };
    const auto sigmoid = [&](double sign, int64_t i) {
      if (!gated) return 1.0;
      return 1.0 / (1.0 + std::exp(-sign * rows.gate[static_cast<size_t>(begin + i)]));
    };
    const auto upstream = [&](int64_t i) {
      const double w = rows.weight[static_cast<size_t>((begin + i) % rows.n)];
      return at(rows.dy, i) * std::abs(w) * sigmoid(1, i);
    };
    double squares = 0;
    double inner = 0;
    for (int64_t i = 0; i < width; ++i) {
      squares += at(rows.x, i) * at(rows.x, i);
      inner += at(rows.x, i) * upstream(i);
    }
    const auto count = static_cast<double>(width);
    const double r = 1.0 / std::sqrt(squares / count + 1e-6);
    for (int64_t i = 0; i < width; ++i) {
      const auto index = static_cast<size_t>(begin + i);
      m.dx[index] = r * (upstream(i) + at(rows.x, i) * r * r * inner / count);
      m.dgate[index] = upstream(i) * at(rows.x, i) * r * sigmoid(-1, i);
      m.dweight[static_cast<size_t>((begin + i) % rows.n)] +=
          at(rows.dy, i) * at(rows.x, i) * r * sigmoid(1, i);
    }
  }
  return m;
}

// A group of n elements: the inverse root (n / 2 + 6, three times in a term of dx), the inner sum
// and products, the sigmoid twice (8 each); and the sum over rows, block by block.
int64_t Roundings(const Rows& rows) {
  const int64_t width = rows.n / rows.groups;
  return 3 * (width / 2 + 6) + width + 40 + std::min<int64_t>(rows.rows, 64) + rows.rows / 64 + 1;
}

std::vector<double> Bounds(const Rows& rows, const std::vector<double>& magnitudes) {
  std::vector<double> bounds;
  for (const double m : magnitudes) bounds.push_back(SumBound(Roundings(rows), m) + 0x1p-100);
  return bounds;
}

TEST_P(NormBackwardTest, RmsNormMatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t n : {1, 7, 8, 16, 63, 64, 65, 1000}) {
    for (const int64_t count : {0, 1, 3, 65, 200}) {
      const Rows rows(count, n, 1, &rng);
      GuardedBuffer<float> dx(rows.x.size(), 1);
      GuardedBuffer<float> dweight(static_cast<size_t>(n), 3);
      const RmsNormBackwardArgs args = rows.Plain(dx.data(), dweight.data());
      RmsNormBackward(context, args);
      Gradients want(rows);
      RmsNormBackwardRef(args, want.dx.data(), want.dweight.data());
      const Gradients m = Magnitudes(rows, false);
      ASSERT_TRUE(Within(dx.span(), want.dx, Bounds(rows, m.dx))) << n << " x " << count;
      ASSERT_TRUE(Within(dweight.span(), want.dweight, Bounds(rows, m.dweight)))
          << n << " x " << count;
    }
  }
}

TEST_P(NormBackwardTest, GroupNormGateMatchesReference) {
  Context context(isa(), 2);
  Rng rng(2);
  for (const int64_t width : {1, 7, 63, 64, 65, 256}) {
    for (const int64_t groups : {1, 3, 8}) {
      const Rows rows(70, width * groups, groups, &rng);
      GuardedBuffer<float> dx(rows.x.size(), 1);
      GuardedBuffer<float> dgate(rows.x.size(), 2);
      GuardedBuffer<float> dweight(static_cast<size_t>(rows.n), 3);
      const GroupNormGateBackwardArgs args = rows.Gated(dx.data(), dgate.data(), dweight.data());
      GroupNormGateBackward(context, args);
      Gradients want(rows);
      GroupNormGateBackwardRef(args, want.dx.data(), want.dgate.data(), want.dweight.data());
      const Gradients m = Magnitudes(rows, true);
      ASSERT_TRUE(Within(dx.span(), want.dx, Bounds(rows, m.dx))) << width << " x " << groups;
      ASSERT_TRUE(Within(dgate.span(), want.dgate, Bounds(rows, m.dgate)))
          << width << " x " << groups;
      ASSERT_TRUE(Within(dweight.span(), want.dweight, Bounds(rows, m.dweight)))
          << width << " x " << groups;
    }
  }
}

TEST(NormBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(3);
  Rows rows(3, 12, 2, &rng);
  for (std::vector<float>* values : {&rows.x, &rows.gate, &rows.weight, &rows.dy}) {
    *values = Coarse(*values);
  }
  Gradients want(rows);
  std::vector<double> y(rows.x.size());
  const auto plain = [&] {
    RmsNormRef({rows.x.data(), rows.weight.data(), nullptr, rows.rows, rows.n, 1e-6f}, y.data());
    return Inner(rows.dy, y);
  };
  RmsNormBackwardRef(rows.Plain(nullptr, nullptr), want.dx.data(), want.dweight.data());
  EXPECT_TRUE(MatchesDifferences(rows.x, want.dx, plain));
  EXPECT_TRUE(MatchesDifferences(rows.weight, want.dweight, plain));

  const auto gated = [&] {
    GroupNormGateRef({rows.x.data(), rows.gate.data(), rows.weight.data(), nullptr, rows.rows,
                      rows.n, rows.groups, 1e-6f},
                     y.data());
    return Inner(rows.dy, y);
  };
  GroupNormGateBackwardRef(rows.Gated(nullptr, nullptr, nullptr), want.dx.data(), want.dgate.data(),
                           want.dweight.data());
  EXPECT_TRUE(MatchesDifferences(rows.x, want.dx, gated));
  EXPECT_TRUE(MatchesDifferences(rows.gate, want.dgate, gated));
  EXPECT_TRUE(MatchesDifferences(rows.weight, want.dweight, gated));
}

TEST_P(NormBackwardTest, RowsAreIndependentAndThreadsChangeNothing) {
  Rng rng(4);
  const Rows rows(300, 66, 3, &rng);
  std::vector<float> dx(rows.x.size());
  std::vector<float> dgate(rows.x.size());
  std::vector<float> dweight(66);
  std::vector<float> plain_dx(rows.x.size());
  std::vector<float> plain_dweight(66);
  Context one(isa(), 1);
  RmsNormBackward(one, rows.Plain(plain_dx.data(), plain_dweight.data()));
  GroupNormGateBackward(one, rows.Gated(dx.data(), dgate.data(), dweight.data()));
  for (int threads = 2; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::vector<float> again_dx = rows.dy;
    std::vector<float> again_dgate = rows.gate;
    std::vector<float> again_dweight(66);
    RmsNormBackwardArgs plain = rows.Plain(again_dx.data(), again_dweight.data());
    plain.dy = again_dx.data();  // in place
    RmsNormBackward(context, plain);
    ASSERT_TRUE(SameBits(plain_dx, again_dx));
    ASSERT_TRUE(SameBits(plain_dweight, again_dweight));
    again_dx = rows.dy;
    GroupNormGateBackwardArgs gated =
        rows.Gated(again_dx.data(), again_dgate.data(), again_dweight.data());
    gated.dy = again_dx.data();
    gated.gate = again_dgate.data();
    GroupNormGateBackward(context, gated);
    ASSERT_TRUE(SameBits(dx, again_dx));
    ASSERT_TRUE(SameBits(dgate, again_dgate));
    ASSERT_TRUE(SameBits(dweight, again_dweight));
  }
  // A row alone, and without the weights' gradient.
  std::vector<float> alone(66);
  std::vector<float> alone_gate(66);
  const int64_t at = 123 * 66;
  RmsNormBackward(one, {rows.x.data() + at, rows.weight.data(), rows.dy.data() + at, alone.data(),
                        nullptr, 1, 66, 1e-6f, false, false});
  ASSERT_TRUE(SameBits<float>(alone, {plain_dx.begin() + at, plain_dx.begin() + at + 66}));
  GroupNormGateBackward(
      one, {rows.x.data() + at, rows.gate.data() + at, rows.weight.data(), rows.dy.data() + at,
            alone.data(), alone_gate.data(), nullptr, 1, 66, 3, 1e-6f, false});
  ASSERT_TRUE(SameBits<float>(alone, {dx.begin() + at, dx.begin() + at + 66}));
  ASSERT_TRUE(SameBits<float>(alone_gate, {dgate.begin() + at, dgate.begin() + at + 66}));
}

TEST_P(NormBackwardTest, AddsWhereAsked) {
  Rng rng(5);
  const Rows rows(130, 33, 1, &rng);
  Context context(isa(), 2);
  std::vector<float> dx(rows.x.size());
  std::vector<float> dweight(33);
  RmsNormBackwardArgs args = rows.Plain(dx.data(), dweight.data());
  RmsNormBackward(context, args);
  std::vector<float> sum_dx = rows.x;
  std::vector<float> sum_dweight = rows.weight;
  args.dx = sum_dx.data();
  args.dweight = sum_dweight.data();
  args.add_dx = true;
  args.add_dweight = true;
  RmsNormBackward(context, args);
  for (size_t i = 0; i < dx.size(); ++i) {
    ASSERT_NEAR(sum_dx[i], rows.x[i] + dx[i],
                4 * kF32Round * (std::abs(rows.x[i]) + std::abs(dx[i])) + 1e-30);
  }
  for (size_t i = 0; i < dweight.size(); ++i) {
    ASSERT_EQ(sum_dweight[i], rows.weight[i] + dweight[i]);
  }
}

TEST_P(NormBackwardTest, NanStaysInItsRow) {
  Rng rng(6);
  Rows rows(3, 40, 2, &rng);
  rows.dy[40 + 25] = std::numeric_limits<float>::quiet_NaN();
  Context context(isa(), 1);
  std::vector<float> dx(rows.x.size());
  std::vector<float> dgate(rows.x.size());
  RmsNormBackward(context, rows.Plain(dx.data(), nullptr));
  for (size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(std::isnan(dx[i]), i / 40 == 1) << i;
  GroupNormGateBackward(context, rows.Gated(dx.data(), dgate.data(), nullptr));
  for (size_t i = 0; i < dx.size(); ++i) {
    ASSERT_EQ(std::isnan(dx[i]), i / 20 == 3) << i;
    ASSERT_EQ(std::isnan(dgate[i]), i == 40 + 25) << i;
  }
}

RINGLET_INSTANTIATE_ISAS(NormBackwardTest);

}  // namespace
}  // namespace ringlet
