#include "ops/qkv/qkv_backward.h"

#include "ops/qkv/qkv.h"
#include "ops/rope/rope.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class QkvBackwardTest : public IsaTest {};

struct Problem {
  Problem(int64_t heads, int64_t kv_heads, int64_t d, int64_t rotary, int64_t rows, bool norm,
          Rng* rng)
      : qkv(NormalFloats(rng, rows * (heads + 2 * kv_heads) * d)),
        dq(NormalFloats(rng, rows * heads * d)),
        dk(NormalFloats(rng, rows * kv_heads * d)),
        dv(NormalFloats(rng, rows * kv_heads * d)),
        q_norm(NormalFloats(rng, d)),
        k_norm(NormalFloats(rng, d)),
        cos_sin(static_cast<size_t>(rows * rotary)) {
    RopeFrequencies frequencies;
    for (int64_t i = 0; i < rotary / 2; ++i) {
      frequencies.inv_freq.push_back(1.0 / static_cast<double>(i + 1));
    }
    for (int64_t row = 0; row < rows; ++row) {
      RopeAngles(frequencies, 3 * row + 1,
                 std::span(cos_sin).subspan(static_cast<size_t>(row * rotary),
                                            static_cast<size_t>(rotary)));
    }
    args.heads = heads;
    args.kv_heads = kv_heads;
    args.head_dim = d;
    args.rotary_dim = rotary;
    args.q_norm = norm ? q_norm.data() : nullptr;
    args.k_norm = norm ? k_norm.data() : nullptr;
    args.rows = rows;
    args.qkv = qkv.data();
    args.cos_sin = cos_sin.data();
    args.dq = dq.data();
    args.dk = dk.data();
    args.dv = dv.data();
  }
  Problem(const Problem&) = delete;

  std::vector<float> qkv;
  std::vector<float> dq;
  std::vector<float> dk;
  std::vector<float> dv;
  std::vector<float> q_norm;
  std::vector<float> k_norm;
  std::vector<float> cos_sin;
  QkvBackwardArgs args;
};

struct Gradients {
  explicit Gradients(const Problem& p)
      : dqkv(p.qkv.size()), dq_norm(p.q_norm.size()), dk_norm(p.q_norm.size()) {
    QkvBackwardRef(p.args, dqkv.data(), dq_norm.data(), dk_norm.data());
  }
  std::vector<double> dqkv;
  std::vector<double> dq_norm;
  std::vector<double> dk_norm;
};

// Of one head: no element of the gradient before the norm exceeds the sum of the two that it is
// turned from, nor |x| r the root of D; the inner product is bounded by the head's sum.
double HeadMagnitude(const float* x, const float* weight, const float* dout, int64_t d) {
  double squares = 0;
  double largest = 0;
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) {
    const double w = weight == nullptr ? 1.0 : std::abs(weight[i]);
    squares += static_cast<double>(x[i]) * x[i];
    largest = std::max(largest, w);
    sum += std::abs(dout[i]);
  }
  const double r = 1.0 / std::sqrt(squares / static_cast<double>(d) + 1e-6);
  return weight == nullptr ? sum : 2.0 * r * largest * sum;
}

TEST_P(QkvBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  const int64_t shapes[][4] = {{1, 1, 1, 0},   {4, 2, 7, 4},    {2, 2, 16, 16}, {6, 2, 33, 10},
                               {3, 1, 64, 32}, {8, 8, 128, 64}, {2, 1, 80, 80}};
  for (const auto& [heads, kv_heads, d, rotary] : shapes) {
    for (const int64_t rows : {1, 70}) {
      for (const bool norm : {true, false}) {
        Problem p(heads, kv_heads, d, rotary, rows, norm, &rng);
        GuardedBuffer<float> dqkv(p.qkv.size(), 1);
        GuardedBuffer<float> dq_norm(p.q_norm.size(), 2);
        GuardedBuffer<float> dk_norm(p.q_norm.size(), 3);
        p.args.dqkv = dqkv.data();
        p.args.dq_norm = norm ? dq_norm.data() : nullptr;
        p.args.dk_norm = norm ? dk_norm.data() : nullptr;
        QkvBackward(context, p.args);
        const Gradients want(p);
        std::vector<double> bounds(p.qkv.size());
        double q_sum = 0;
        double k_sum = 0;
        for (size_t i = 0; i < p.qkv.size(); i += static_cast<size_t>(d)) {
          const auto row = static_cast<int64_t>(i) / p.args.width();
          const int64_t head = static_cast<int64_t>(i) / d % (heads + 2 * kv_heads);
          const bool is_q = head < heads;
          const bool is_v = head >= heads + kv_heads;
          const float* dout = is_q   ? p.dq.data() + (row * heads + head) * d
                              : is_v ? p.dv.data() + (row * kv_heads + head - heads - kv_heads) * d
                                     : p.dk.data() + (row * kv_heads + head - heads) * d;
          const float* weight = is_v ? nullptr : is_q ? p.args.q_norm : p.args.k_norm;
          const double m = HeadMagnitude(p.qkv.data() + i, weight, dout, d);
          for (int64_t c = 0; c < d; ++c) {
            bounds[i + static_cast<size_t>(c)] = SumBound(3 * d + 40, m) + 1e-30;
          }
          double sum = 0;
          for (int64_t c = 0; c < d; ++c) sum += std::abs(dout[c]);
          if (is_q) q_sum += sum;
          if (!is_q && !is_v) k_sum += sum;
        }
        ASSERT_TRUE(Within(dqkv.span(), want.dqkv, bounds)) << "d " << d << " rows " << rows;
        if (!norm) continue;
        // |x| r is at most the root of D.
        const double root = std::sqrt(static_cast<double>(d));
        const int64_t roundings = d + 40 + 64 * heads + 2;
        const std::vector<double> q_bounds(p.q_norm.size(), SumBound(roundings, root * q_sum));
        const std::vector<double> k_bounds(p.q_norm.size(), SumBound(roundings, root * k_sum));
        ASSERT_TRUE(Within(dq_norm.span(), want.dq_norm, q_bounds));
        ASSERT_TRUE(Within(dk_norm.span(), want.dk_norm, k_bounds));
      }
    }
  }
}

TEST(QkvBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  for (const bool norm : {true, false}) {
    Problem p(4, 2, 10, 6, 2, norm, &rng);
    p.qkv = Coarse(p.qkv);
    p.q_norm = Coarse(p.q_norm);
    p.k_norm = Coarse(p.k_norm);
    p.args.qkv = p.qkv.data();
    p.args.q_norm = norm ? p.q_norm.data() : nullptr;
    p.args.k_norm = norm ? p.k_norm.data() : nullptr;
    const Gradients want(p);
    const QkvSplitArgs forward{p.args.heads,
                               {KvType::kF32, p.args.kv_heads, p.args.head_dim},
                               p.args.rotary_dim,
                               p.args.q_norm,
                               p.args.k_norm,
                               p.args.eps,
                               {}};
    const auto loss = [&] {
      double sum = 0;
      for (int64_t row = 0; row < p.args.rows; ++row) {
        std::vector<double> q(40);
        std::vector<double> k(20);
        std::vector<double> v(20);
        const QkvRow in{p.qkv.data() + row * p.args.width(), nullptr, nullptr, 0,
                        p.cos_sin.data() + row * p.args.rotary_dim};
        QkvSplitRef(forward, in, q.data(), k.data(), v.data());
        sum += Inner(std::span(p.dq).subspan(static_cast<size_t>(row) * 40, 40), q) +
               Inner(std::span(p.dk).subspan(static_cast<size_t>(row) * 20, 20), k) +
               Inner(std::span(p.dv).subspan(static_cast<size_t>(row) * 20, 20), v);
      }
      return sum;
    };
    EXPECT_TRUE(MatchesDifferences(p.qkv, want.dqkv, loss));
    if (!norm) continue;
    EXPECT_TRUE(MatchesDifferences(p.q_norm, want.dq_norm, loss));
    EXPECT_TRUE(MatchesDifferences(p.k_norm, want.dk_norm, loss));
  }
}

TEST_P(QkvBackwardTest, RowsAreIndependentAndThreadsChangeNothing) {
  Rng rng(3);
  Problem p(4, 2, 20, 8, 200, true, &rng);
  std::vector<float> dqkv(p.qkv.size());
  std::vector<float> dq_norm(20);
  std::vector<float> dk_norm(20);
  const auto run = [&](int threads) {
    Context context(isa(), threads);
    p.args.dqkv = dqkv.data();
    p.args.dq_norm = dq_norm.data();
    p.args.dk_norm = dk_norm.data();
    QkvBackward(context, p.args);
  };
  run(1);
  const std::vector<float> want = dqkv;
  const std::vector<float> want_q = dq_norm;
  const std::vector<float> want_k = dk_norm;
  for (int threads = 2; threads <= 4; ++threads) {
    run(threads);
    ASSERT_TRUE(SameBits(want, dqkv));
    ASSERT_TRUE(SameBits(want_q, dq_norm));
    ASSERT_TRUE(SameBits(want_k, dk_norm));
  }
  Context context(isa(), 1);
  const int64_t row = 77;
  const int64_t width = p.args.width();
  QkvBackwardArgs alone = p.args;
  alone.rows = 1;
  alone.qkv += row * width;
  alone.cos_sin += row * 8;
  alone.dq += row * 80;
  alone.dk += row * 40;
  alone.dv += row * 40;
  std::vector<float> out(static_cast<size_t>(width));
  alone.dqkv = out.data();
  alone.dq_norm = nullptr;
  alone.dk_norm = nullptr;
  QkvBackward(context, alone);
  ASSERT_TRUE(SameBits<float>(out, {want.begin() + row * width, want.begin() + (row + 1) * width}));
  // Added to what is there.
  alone = p.args;
  alone.add_weights = true;
  QkvBackward(context, alone);
  for (size_t i = 0; i < 20; ++i) ASSERT_EQ(dq_norm[i], want_q[i] + want_q[i]);
}

RINGLET_INSTANTIATE_ISAS(QkvBackwardTest);

}  // namespace
}  // namespace ringlet
