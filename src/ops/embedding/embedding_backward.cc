#include "ops/embedding/embedding_backward.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ops/row_sums.h"

namespace ringlet {
namespace {

// Adds the rows order[begin..end) of dy, which share an id.
void AddRows(const EmbeddingBackwardArgs& args, const std::vector<int64_t>& order, size_t begin,
             size_t end, float* sum) {
  const int64_t n = args.n;
  float* out = args.dweight + args.ids[order[begin]] * n;
  for (size_t block = begin; block < end; block += kGradientRows) {
    const size_t stop = std::min(end, block + kGradientRows);
    std::copy_n(args.dy + order[block] * n, n, sum);
    for (size_t i = block + 1; i < stop; ++i) {
      const float* dy = args.dy + order[i] * n;
      for (int64_t c = 0; c < n; ++c) sum[c] += dy[c];
    }
    for (int64_t c = 0; c < n; ++c) out[c] += sum[c];
  }
}

}  // namespace

void EmbeddingBackward(Context& context, const EmbeddingBackwardArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    RINGLET_CHECK(args.ids[row] >= 0 && args.ids[row] < args.vocabulary, "an id of the vocabulary");
  }
  std::vector<int64_t> order(static_cast<size_t>(args.rows));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return args.ids[a] < args.ids[b]; });
  std::vector<size_t> begins;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || args.ids[order[i]] != args.ids[order[i - 1]]) begins.push_back(i);
  }
  const auto runs = static_cast<int64_t>(begins.size());
  begins.push_back(order.size());
  context.pool.ParallelFor(runs, [&](int64_t run, int thread) {
    const auto i = static_cast<size_t>(run);
    AddRows(args, order, begins[i], begins[i + 1],
            context.ThreadScratch(thread, static_cast<size_t>(args.n)));
  });
}

void EmbeddingBackwardRef(const EmbeddingBackwardArgs& args, double* dweight) {
  std::fill_n(dweight, args.vocabulary * args.n, 0.0);
  for (int64_t i = 0; i < args.rows * args.n; ++i) {
    dweight[args.ids[i / args.n] * args.n + i % args.n] += args.dy[i];
  }
}

}  // namespace ringlet
