#include "ops/gemm/gemm_backward.h"

#include "ops/gemm/gemm.h"
#include "ops/gemm/gemm_backward_kernels.h"
#include "ops/gemm/trained_matrix.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class GemmBackwardTest : public IsaTest {};

constexpr PackedFormat kFormats[] = {PackedFormat::kF32, PackedFormat::kBf16};

struct Problem {
  Problem(int64_t row_count, int64_t outputs, int64_t inputs, Rng* rng)
      : rows(row_count),
        n(outputs),
        k(inputs),
        w(NormalFloats(rng, n * k)),
        dy(NormalFloats(rng, rows * n)),
        x(NormalFloats(rng, rows * k)) {}
  // Sums of the magnitudes of the terms.
  void Magnitudes(std::vector<double>* dx, std::vector<double>* dw) const {
    const auto absolute = [](std::vector<float> values) {
      for (float& value : values) value = std::abs(value);
      return values;
    };
    dx->resize(x.size());
    dw->resize(w.size());
    GemmBackwardRef(absolute(w).data(), absolute(dy).data(), absolute(x).data(), rows, n, k,
                    dx->data(), dw->data());
  }

  int64_t rows;
  int64_t n;
  int64_t k;
  std::vector<float> w;
  std::vector<float> dy;
  std::vector<float> x;
};

// `rounded` operands of a product were rounded to BF16 first.
std::vector<double> Bounds(int64_t terms, int rounded, const std::vector<double>& magnitudes) {
  std::vector<double> bounds;
  for (const double m : magnitudes) {
    bounds.push_back(DotBound(terms, m) + 1.01 * rounded * kBf16Round * m);
  }
  return bounds;
}

bool Multiplies(const IsaChoice& isa, PackedFormat format) {
  return format == PackedFormat::kBf16 && SelectKernels(GemmBackwardTables(), isa).multiplies_bf16;
}

std::vector<float> Rounded(std::vector<float> values, PackedFormat format) {
  if (format == PackedFormat::kBf16) {
    for (float& value : values) value = Bf16ToFloat(FloatToBf16(value));
  }
  return values;
}

TEST_P(GemmBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  const int64_t shapes[][3] = {{1, 1, 1},    {2, 3, 5},      {7, 64, 63},   {63, 65, 64},
                               {65, 96, 65}, {256, 97, 128}, {257, 17, 40}, {600, 200, 130}};
  for (const PackedFormat format : kFormats) {
    for (const auto& [rows, n, k] : shapes) {
      const Problem p(rows, n, k, &rng);
      TrainedMatrix weights(format, n, k);
      weights.Pack(context, p.w.data());
      PreparedRows prepared;
      PrepareRows(context, format, p.dy.data(), rows, n, &prepared);
      GuardedBuffer<float> dx(p.x.size(), 1);
      Gemm(context, weights.transposed(), prepared, dx.data());
      GuardedBuffer<float> dw(p.w.size(), 1);
      const WeightGradientJob job =
          WholeGradientJob(p.dy.data(), p.x.data(), rows, n, k, dw.data());
      WeightGradient(context, format, false, std::span(&job, 1));

      std::vector<double> want_dx(p.x.size());
      std::vector<double> want_dw(p.w.size());
      GemmBackwardRef(Rounded(p.w, format).data(), p.dy.data(), p.x.data(), rows, n, k,
                      want_dx.data(), want_dw.data());
      std::vector<double> dx_sizes;
      std::vector<double> dw_sizes;
      p.Magnitudes(&dx_sizes, &dw_sizes);
      const int rounded = Multiplies(isa(), format) ? 1 : 0;
      ASSERT_TRUE(Within(dx.span(), want_dx, Bounds(n, rounded, dx_sizes)))
          << rows << " x " << n << " x " << k;
      ASSERT_TRUE(Within(dw.span(), want_dw, Bounds(rows, 2 * rounded, dw_sizes)))
          << rows << " x " << n << " x " << k;
    }
  }
}

TEST(GemmBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  Problem p(5, 4, 3, &rng);
  p.w = Coarse(p.w);
  p.x = Coarse(p.x);
  std::vector<double> dx(p.x.size());
  std::vector<double> dw(p.w.size());
  GemmBackwardRef(p.w.data(), p.dy.data(), p.x.data(), p.rows, p.n, p.k, dx.data(), dw.data());
  const auto loss = [&] {
    double sum = 0;
    for (int64_t i = 0; i < p.rows * p.n * p.k; ++i) {
      const int64_t m = i / (p.n * p.k);
      const int64_t n = i / p.k % p.n;
      sum += static_cast<double>(p.dy[static_cast<size_t>(m * p.n + n)]) *
             p.x[static_cast<size_t>(m * p.k + i % p.k)] *
             p.w[static_cast<size_t>(n * p.k + i % p.k)];
    }
    return sum;
  };
  EXPECT_TRUE(MatchesDifferences(p.x, dx, loss));
  EXPECT_TRUE(MatchesDifferences(p.w, dw, loss));
}

TEST_P(GemmBackwardTest, PacksWhatTheEnginePacks) {
  Context context(isa(), 3);
  Rng rng(3);
  for (const PackedFormat format : kFormats) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{130, 67}, {1, 1}, {64, 64}, {5, 200}}) {
      const std::vector<float> w = NormalFloats(&rng, n * k);
      TrainedMatrix trained(format, n, k);
      trained.Pack(context, NormalFloats(&rng, n * k).data());
      trained.Pack(context, w.data());
      const PackedMatrix forward = PackFloat(
          context, format, n, k,
          [&, k = k](int64_t row, float* out) { std::copy_n(w.data() + row * k, k, out); });
      const PackedMatrix transposed =
          PackFloat(context, format, k, n, [&, n = n, k = k](int64_t row, float* out) {
            for (int64_t i = 0; i < n; ++i) out[i] = w[static_cast<size_t>(i * k + row)];
          });
      for (const auto& [a, b] : {std::pair(&trained.forward(), &forward),
                                 std::pair(&trained.transposed(), &transposed)}) {
        ASSERT_EQ(a->n, b->n);
        ASSERT_EQ(a->k, b->k);
        ASSERT_EQ(a->panel_bytes, b->panel_bytes);
        ASSERT_EQ(a->data.size(), b->data.size());
        ASSERT_EQ(std::memcmp(a->data.data(), b->data.data(), a->data.size()), 0);
      }
    }
  }
}

// Experts with many, few and no rows: each has the gradient it has alone, on any number of threads.
TEST_P(GemmBackwardTest, JobsAndThreadsChangeNothing) {
  Rng rng(4);
  const int64_t n = 70;
  const int64_t k = 66;
  const Problem p(700, n, k, &rng);
  std::vector<WeightGradientJob> jobs;
  for (const int64_t rows : {300, 0, 1, 33}) {
    WeightGradientJob job{.n = n, .k = k, .dy = {}, .x = {}, .dw = nullptr};
    for (int64_t i = 0; i < rows; ++i) {
      const auto at = static_cast<int64_t>(rng.Below(700));
      job.dy.push_back(p.dy.data() + at * n);
      job.x.push_back(p.x.data() + at * k);
    }
    jobs.push_back(job);
  }
  const auto size = static_cast<size_t>(n * k);
  for (const PackedFormat format : kFormats) {
    for (const bool add : {false, true}) {
      std::vector<std::vector<float>> alone;
      Context one(isa(), 1);
      for (WeightGradientJob job : jobs) {
        alone.push_back(p.w);
        job.dw = alone.back().data();
        WeightGradient(one, format, add, std::span(&job, 1));
      }
      EXPECT_EQ(alone[1], add ? p.w : std::vector<float>(size, 0.0f));
      for (int threads = 1; threads <= 4; ++threads) {
        Context context(isa(), threads);
        std::vector<std::vector<float>> together(jobs.size(), p.w);
        for (size_t i = 0; i < jobs.size(); ++i) jobs[i].dw = together[i].data();
        WeightGradient(context, format, add, jobs);
        for (size_t i = 0; i < jobs.size(); ++i) ASSERT_TRUE(SameBits(alone[i], together[i]));
      }
    }
  }
}

// More operands than are packed at once: the same chain of blocks.
TEST_P(GemmBackwardTest, WavesChangeNothing) {
  Context context(isa(), 2);
  Rng rng(5);
  const int64_t n = 3;
  const int64_t k = 8192;
  const int64_t rows = 2 * kGradientBlock + 9;
  const Problem p(rows, n, k, &rng);
  std::vector<float> whole(p.w.size());
  WeightGradientJob job = WholeGradientJob(p.dy.data(), p.x.data(), rows, n, k, whole.data());
  WeightGradient(context, PackedFormat::kF32, false, std::span(&job, 1));
  std::vector<float> pieces(p.w.size());
  for (int64_t row = 0; row < rows; row += kGradientBlock) {
    job = WholeGradientJob(p.dy.data() + row * n, p.x.data() + row * k,
                           std::min(kGradientBlock, rows - row), n, k, pieces.data());
    WeightGradient(context, PackedFormat::kF32, row > 0, std::span(&job, 1));
  }
  ASSERT_TRUE(SameBits(whole, pieces));
}

RINGLET_INSTANTIATE_ISAS(GemmBackwardTest);

}  // namespace
}  // namespace ringlet
