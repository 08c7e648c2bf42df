#include "engine/state_bytes.h"

#include "model/packed.h"

namespace ringlet {

StateBytes StateBytes::Of(const Model& model) {
  const PackedModel& packed = model.packed();
  const KvLayout& kv = packed.lightning_kv;
  const int64_t state = kv.kv_heads * kv.head_dim * kv.head_dim;
  StateBytes bytes;
  bytes.page = static_cast<size_t>(packed.softmax_kv.block_bytes() * packed.softmax_layers);
  bytes.tail = static_cast<size_t>(kv.block_bytes() * packed.lightning_layers);
  bytes.anchor = static_cast<size_t>(packed.lightning_layers * state) * sizeof(float);
  return bytes;
}

}  // namespace ringlet
