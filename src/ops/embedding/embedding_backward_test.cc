#include "ops/embedding/embedding_backward.h"

#include <gtest/gtest.h>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

struct Problem {
  Problem(int64_t rows, int64_t n, int64_t vocabulary, int64_t distinct, Rng* rng)
      : dy(NormalFloats(rng, rows * n)), before(NormalFloats(rng, vocabulary * n)) {
    for (int64_t row = 0; row < rows; ++row) {
      ids.push_back(static_cast<int32_t>(vocabulary - 1 - Between(rng, 0, distinct - 1)));
    }
    args = {ids.data(), dy.data(), rows, n, vocabulary, nullptr};
  }
  Problem(const Problem&) = delete;

  std::vector<int32_t> ids;
  std::vector<float> dy;
  std::vector<float> before;
  EmbeddingBackwardArgs args;
};

TEST(EmbeddingBackwardTest, MatchesReference) {
  Rng rng(1);
  Context context(IsaChoice::Detect(), 2);
  for (const int64_t n : {1, 7, 64, 130}) {
    for (const int64_t rows : {0, 1, 50, 500}) {
      for (const int64_t distinct : {1, 5, 40}) {
        Problem p(rows, n, 40, distinct, &rng);
        GuardedBuffer<float> dweight(p.before.size(), 1);
        std::copy(p.before.begin(), p.before.end(), dweight.data());
        p.args.dweight = dweight.data();
        EmbeddingBackward(context, p.args);
        std::vector<double> want(p.before.size());
        EmbeddingBackwardRef(p.args, want.data());
        std::vector<double> bounds(want.size());
        for (size_t i = 0; i < want.size(); ++i) {
          want[i] += p.before[i];
          bounds[i] = std::abs(p.before[i]);
        }
        for (size_t i = 0; i < p.dy.size(); ++i) {
          const auto row = static_cast<int64_t>(i) / n;
          bounds[static_cast<size_t>(p.ids[static_cast<size_t>(row)] * n +
                                     static_cast<int64_t>(i) % n)] += std::abs(p.dy[i]);
        }
        for (double& bound : bounds) bound = SumBound(64 + rows / 64 + 2, bound);
        ASSERT_TRUE(Within(dweight.span(), want, bounds)) << n << " x " << rows;
        for (size_t i = 0; i < static_cast<size_t>((40 - distinct) * n); ++i) {
          ASSERT_EQ(dweight[i], p.before[i]);
        }
      }
    }
  }
}

TEST(EmbeddingBackwardTest, ThreadsChangeNothing) {
  Rng rng(2);
  Problem p(3000, 33, 50, 50, &rng);
  std::vector<float> want;
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(IsaChoice::Detect(), threads);
    std::vector<float> dweight = p.before;
    p.args.dweight = dweight.data();
    EmbeddingBackward(context, p.args);
    if (threads == 1) want = dweight;
    ASSERT_TRUE(SameBits(want, dweight));
  }
}

}  // namespace
}  // namespace ringlet
