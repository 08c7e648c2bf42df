// Model: a checkpoint packed for this machine's kernels. Immutable and shared after Load.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "ops/context.h"
#include "ops/kv_block.h"

namespace ringlet {

enum class ComputeType {
  kBf16,  // BF16 weights and KV cache; INT8 activations for quantized weights; the rest fp32
  kF32,   // weights widened to fp32, every computation and cache in fp32
};

struct LoadOptions {
  ComputeType compute = ComputeType::kBf16;
  // Keys and values of the softmax layers: kBf16 or kInt8; ignored (fp32) with kF32 computation.
  KvType kv = KvType::kBf16;
  // Where the packed form of large checkpoints is kept, so that the next load maps it. Empty: it is
  // packed in memory each time. Used with kBf16 and from `cache_from_bytes` packed bytes on, if the
  // directory can be written and has room.
  std::string cache_directory;
  uint64_t cache_from_bytes = uint64_t{256} << 20;
  // Called from the loading thread as packing proceeds; done and total in bytes of stored weights.
  // Return false to stop loading.
  std::function<bool(uint64_t done, uint64_t total)> progress;
};

struct PackedModel;

class Model {
 public:
  // Packs every tensor with the threads and instruction set of `context`. Errors: kResource when
  // the packed weights cannot fit in memory, kCancelled when progress returned false.
  static Result<std::shared_ptr<const Model>> Load(Checkpoint checkpoint, Context& context,
                                                   const LoadOptions& options);
  ~Model();

  const ModelConfig& config() const { return checkpoint_.config; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  ComputeType compute() const { return compute_; }
  const PackedModel& packed() const { return *packed_; }

 private:
  Model();
  Checkpoint checkpoint_;
  ComputeType compute_ = ComputeType::kBf16;
  std::unique_ptr<PackedModel> packed_;
};

}  // namespace ringlet
