#include "ops/qkv/qkv.h"

#include <cstring>

#include "ops/parallel_rows.h"
#include "ops/qkv/qkv_kernels.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxHeadDim = 1024;

// Writes one head's key into column `slot` of the transposed keys.
template <typename T>
void StoreKey(const T* values, int64_t d, int64_t slot, std::byte* keys) {
  T* out = reinterpret_cast<T*>(keys) + slot;
  for (int64_t i = 0; i < d; ++i) out[i * kBlockPositions] = values[i];
}

void StoreKeyValue(const QkvKernels& kernels, const KvLayout& kv, const float* key,
                   const float* value, int64_t head, const QkvRow& row) {
  std::byte* keys = row.block + kv.keys(head);
  std::byte* values =
      row.block + kv.values(head) + row.slot * kv.head_dim * KvElementBytes(kv.type);
  if (kv.type == KvType::kF32) {
    StoreKey(key, kv.head_dim, row.slot, keys);
    std::memcpy(values, value, static_cast<size_t>(kv.head_dim) * 4);
    return;
  }
  uint16_t rounded[kMaxHeadDim];
  kernels.to_bf16(key, rounded, kv.head_dim);
  StoreKey(rounded, kv.head_dim, row.slot, keys);
  kernels.to_bf16(value, reinterpret_cast<uint16_t*>(values), kv.head_dim);
}

}  // namespace

void QkvSplit(Context& context, const QkvSplitArgs& args) {
  const int64_t d = args.kv.head_dim;
  RINGLET_CHECK(d >= 1 && d <= kMaxHeadDim, "head dimension out of range");
  RINGLET_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= d, "rotary dimension");
  const QkvKernels& kernels = SelectKernels(QkvTables(), context.isa);
  const int64_t width = (args.heads + 2 * args.kv.kv_heads) * d;
  ParallelRows(context, static_cast<int64_t>(args.rows.size()), 2 * width, [&](int64_t i) {
    const QkvRow& row = args.rows[static_cast<size_t>(i)];
    for (int64_t head = 0; head < args.heads; ++head) {
      kernels.head(row.qkv + head * d, args.q_norm, row.cos_sin, args.rotary_dim, d, args.eps,
                   row.q + head * d);
    }
    const float* keys = row.qkv + args.heads * d;
    const float* values = keys + args.kv.kv_heads * d;
    float key[kMaxHeadDim];
    for (int64_t head = 0; head < args.kv.kv_heads; ++head) {
      kernels.head(keys + head * d, args.k_norm, row.cos_sin, args.rotary_dim, d, args.eps, key);
      StoreKeyValue(kernels, args.kv, key, values + head * d, head, row);
    }
  });
}

}  // namespace ringlet
