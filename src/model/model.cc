#include "model/model.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/build.h"
#include "model/checkpoint_source.h"
#include "model/pack_cache.h"
#include "model/packed.h"
#include "model/packed_file.h"

namespace ringlet {
namespace {

Status CheckMemory(uint64_t needed) {
  const uint64_t available = AvailableMemory();
  if (available == 0 || needed <= available) return Status::Ok();
  return Status(StatusCode::kResource,
                fmt::format("packed weights need {:.1f} GiB of memory, {:.1f} GiB are available",
                            static_cast<double>(needed) / (uint64_t{1} << 30),
                            static_cast<double>(available) / (uint64_t{1} << 30)));
}

// The packed form of the checkpoint in the cache, written first if it is not there. Null: no cache,
// or it cannot be used; whoever asks packs in memory.
Result<std::shared_ptr<PackedFile>> FromCache(const Checkpoint& checkpoint,
                                              const LoadOptions& options,
                                              CheckpointSource& source) {
  const std::shared_ptr<PackedFile> none;
  if (options.cache_directory.empty() || options.compute == ComputeType::kF32) return none;
  const std::string path = PackCachePath(options.cache_directory, checkpoint);
  if (!FileExists(path)) {
    // Planning looks at every scale of packed integers: not done when the file is there.
    const uint64_t bytes = source.PackedBytes();
    if (bytes < options.cache_from_bytes) return none;
    if (!RoomForPack(options.cache_directory, bytes)) return none;
    const Status written = WritePackedFile(path, checkpoint.config, source);
    if (written.code() == StatusCode::kCancelled) return written;
    if (!written.ok()) return none;
    RemoveOldPacks(path, checkpoint);
  }
  const auto file = Safetensors::Open(path);
  if (!file.ok()) return none;
  auto packed = PackedFile::Open(*file);
  return packed.ok() ? packed : none;
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

Result<std::shared_ptr<const Model>> Model::Load(Checkpoint checkpoint, Context& context,
                                                 const LoadOptions& options) {
  std::shared_ptr<Model> model(new Model());
  model->checkpoint_ = std::move(checkpoint);
  model->compute_ = options.compute;
  const KvType kv = options.compute == ComputeType::kF32 ? KvType::kF32 : options.kv;
  const auto build = [&](WeightSource& source) {
    model->packed_ = std::make_unique<PackedModel>(BuildPackedModel(model->config(), kv, source));
    return source.status();
  };
  std::shared_ptr<PackedFile> packed = model->checkpoint_.packed;
  if (packed != nullptr && options.compute == ComputeType::kF32) {
    return BadInput(model->checkpoint_.path, "compute", "f32 for weights that are packed already",
                    "bf16, or the checkpoint they were packed from");
  }
  CheckpointSource source(model->checkpoint_.weights, options.compute, context, options.progress);
  if (packed == nullptr) {
    RINGLET_ASSIGN_OR_RETURN(packed, FromCache(model->checkpoint_, options, source));
  }
  if (packed != nullptr) {
    RINGLET_RETURN_IF_ERROR(build(*packed));
  } else {
    RINGLET_RETURN_IF_ERROR(CheckMemory(source.PackedBytes()).WithContext(model->checkpoint_.path));
    RINGLET_RETURN_IF_ERROR(build(source));
  }
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace ringlet
