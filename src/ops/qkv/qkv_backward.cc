#include "ops/qkv/qkv_backward.h"

#include <algorithm>
#include <vector>

#include "ops/qkv/qkv_backward_kernels.h"
#include "ops/row_sums.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxHeadDim = 4096;

}  // namespace

void QkvBackward(Context& context, const QkvBackwardArgs& args) {
  const int64_t d = args.head_dim;
  RINGLET_CHECK(d >= 1 && d <= kMaxHeadDim, "head dimension out of range");
  RINGLET_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= d, "rotary dimension");
  const QkvBackwardKernels& kernels = SelectKernels(QkvBackwardTables(), context.isa);
  const bool wanted = args.dq_norm != nullptr || args.dk_norm != nullptr;
  // Both norms' sums together: q's, then k's.
  std::vector<float> sums(wanted ? static_cast<size_t>(2 * d) : 0);
  const auto row_gradient = [&](int64_t row, float* partial) {
    float rotated[kMaxHeadDim];
    const float* qkv = args.qkv + row * args.width();
    const float* cos_sin = args.cos_sin + row * args.rotary_dim;
    float* out = args.dqkv + row * args.width();
    for (int64_t head = 0; head < args.heads; ++head) {
      kernels.head(qkv + head * d, args.q_norm, cos_sin, args.rotary_dim, d, args.eps,
                   args.dq + (row * args.heads + head) * d, out + head * d, partial, rotated);
    }
    qkv += args.heads * d;
    out += args.heads * d;
    float* key_partial = partial == nullptr ? nullptr : partial + d;
    for (int64_t head = 0; head < args.kv_heads; ++head) {
      kernels.head(qkv + head * d, args.k_norm, cos_sin, args.rotary_dim, d, args.eps,
                   args.dk + (row * args.kv_heads + head) * d, out + head * d, key_partial,
                   rotated);
    }
    std::copy_n(args.dv + row * args.kv_heads * d, args.kv_heads * d, out + args.kv_heads * d);
  };
  SumOverRows(context, args.rows, 2 * d, false, wanted ? sums.data() : nullptr, row_gradient);
  const auto put = [&](const float* weight, const float* sum, float* out) {
    if (weight == nullptr || out == nullptr) return;
    for (int64_t i = 0; i < d; ++i) out[i] = args.add_weights ? out[i] + sum[i] : sum[i];
  };
  if (!wanted) return;
  put(args.q_norm, sums.data(), args.dq_norm);
  put(args.k_norm, sums.data() + d, args.dk_norm);
}

}  // namespace ringlet
