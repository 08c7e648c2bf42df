#include "ops/qkv/qkv.h"

#include <cstring>

#include "ops/parallel_rows.h"
#include "ops/qkv/qkv_kernels.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxHeadDim = 4096;

// Writes a row's key (value) elements to their places; with odd D the pair's other half is zero.
template <typename T>
void StoreKey(const KvLayout& kv, const T* key, int64_t slot, std::byte* keys) {
  T* out = reinterpret_cast<T*>(keys);
  for (int64_t i = 0; i < kv.head_dim; ++i) out[kv.key_index(slot, i)] = key[i];
  if (kv.paired() && kv.head_dim % 2 != 0) out[kv.key_index(slot, kv.head_dim)] = T{0};
}

template <typename T>
void StoreValue(const KvLayout& kv, const T* value, int64_t slot, std::byte* values) {
  T* out = reinterpret_cast<T*>(values);
  for (int64_t i = 0; i < kv.head_dim; ++i) out[kv.value_index(slot, i)] = value[i];
}

void StoreKeyValue(const QkvKernels& kernels, const KvLayout& kv, const float* key,
                   const float* value, int64_t head, const QkvRow& row) {
  const int64_t d = kv.head_dim;
  std::byte* keys = row.block + kv.keys(head);
  std::byte* values = row.block + kv.values(head);
  if (kv.type == KvType::kF32) {
    StoreKey(kv, key, row.slot, keys);
    StoreValue(kv, value, row.slot, values);
  } else if (kv.type == KvType::kBf16) {
    uint16_t rounded[kMaxHeadDim];
    kernels.to_bf16(key, rounded, d);
    StoreKey(kv, rounded, row.slot, keys);
    kernels.to_bf16(value, rounded, d);
    StoreValue(kv, rounded, row.slot, values);
  } else {
    int8_t codes[kMaxHeadDim];
    const uint16_t key_scale = kernels.to_int8(key, codes, d);
    std::memcpy(row.block + kv.key_scales(head) + 2 * row.slot, &key_scale, 2);
    StoreKey(kv, codes, row.slot, keys);
    const uint16_t value_scale = kernels.to_int8(value, codes, d);
    std::memcpy(row.block + kv.value_scales(head) + 2 * row.slot, &value_scale, 2);
    StoreValue(kv, codes, row.slot, values);
  }
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
