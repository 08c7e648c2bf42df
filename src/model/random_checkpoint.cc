#include "model/random_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "io/safetensors.h"
#include "model/arch.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBatch = int64_t{1} << 16;  // values generated at a time
constexpr float kNormSpread = 0.05f;
constexpr float kBiasSpread = 0.05f;

struct Shard {
  std::string file;
  std::vector<SafetensorsEntry> entries;
  uint64_t bytes = 0;
};

uint64_t BytesOf(const SafetensorsEntry& entry) {
  uint64_t count = static_cast<uint64_t>(Traits(entry.dtype).block_bytes);
  for (const int64_t size : entry.shape) count *= static_cast<uint64_t>(size);
  return count;
}

uint64_t SeedOf(std::string_view name, uint64_t seed) {
  return Rng(NameSeed(name) ^ Rng(seed).Next()).Next();
}

// Near-normal with variance 1: the sum of four 16-bit uniforms of one draw. Bounded by 3.47,
// several times faster than an exact normal, and checkpoints have up to 10^11 values.
float NearNormal(Rng& rng) {
  const uint64_t bits = rng.Next();
  const auto sum = static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                      (bits >> 32 & 0xffff) + (bits >> 48));
  return (sum * 0x1p-16f - (2.0f - 0x1p-15f)) * 1.7320508f;
}

struct Distribution {
  float mean = 0;
  float spread = 0;
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Distribution DistributionOf(const SafetensorsEntry& entry, const ModelConfig& config,
                            double scale) {
  if (Contains(entry.name, "expert_bias")) return {0, kBiasSpread};
  if (entry.shape.size() == 1) return {1, kNormSpread};
  double spread = scale / std::sqrt(static_cast<double>(entry.shape.back()));
  // Rows of an embedding are used whole, not as one factor of a long dot product.
  const bool embedding = Contains(entry.name, "embed");
  if (embedding && !config.tied_embeddings) spread = scale;
  if (Contains(entry.name, "down_proj") || Contains(entry.name, "o_proj") ||
      Contains(entry.name, "attention.dense")) {
    spread /= std::sqrt(2.0 * static_cast<double>(config.layers.size()));
  }
  return {0, static_cast<float>(spread)};
}

class Writer {
 public:
  Writer(ModelConfig config, std::string directory, const RandomCheckpointOptions& options)
      : config_(std::move(config)), directory_(std::move(directory)), options_(options) {}

  Status Run(BindFunction bind, const OrderedJson& config_json,
             const std::string& generation_json) {
    RINGLET_RETURN_IF_ERROR(Plan(bind));
    RINGLET_RETURN_IF_ERROR(CheckSpace());
    for (const Shard& shard : shards_) RINGLET_RETURN_IF_ERROR(WriteShard(shard));
    if (shards_.size() > 1) RINGLET_RETURN_IF_ERROR(WriteIndex());
    if (!generation_json.empty()) {
      RINGLET_RETURN_IF_ERROR(WriteText("generation_config.json", generation_json + "\n"));
    }
    // Last, so that a directory with a config.json is a whole checkpoint.
    return WriteText("config.json", config_json.dump(2) + "\n");
  }

  // Deletes what Run created.
  void RemoveFiles() const {
    std::error_code ignored;
    for (const std::string& file : written_) fs::remove(Path(file), ignored);
    fs::remove(directory_, ignored);
  }

 private:
  std::string Path(const std::string& file) const { return directory_ + "/" + file; }

  Status Plan(BindFunction bind) {
    TensorBinder binder;
    ModelWeights weights;
    bind(binder, config_, weights);
    RINGLET_RETURN_IF_ERROR(binder.Finish({}));
    for (const StoredTensor& tensor : binder.plan()) {
      const bool bias = Contains(tensor.name, "expert_bias");
      SafetensorsEntry entry{
          .name = tensor.name, .dtype = bias ? DType::kF32 : options_.dtype, .shape = tensor.shape};
      const uint64_t bytes = BytesOf(entry);
      if (shards_.empty() || shards_.back().bytes + bytes > options_.shard_bytes) {
        shards_.emplace_back();
      }
      shards_.back().entries.push_back(std::move(entry));
      shards_.back().bytes += bytes;
      total_ += bytes;
    }
    for (size_t i = 0; i < shards_.size(); ++i) {
      shards_[i].file = shards_.size() == 1 ? "model.safetensors"
                                            : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1,
                                                          shards_.size());
    }
    return Status::Ok();
  }

  Status CheckSpace() const {
    std::error_code error;
    const fs::space_info space = fs::space(directory_, error);
    if (error || space.available >= total_) return Status::Ok();
    return Status(StatusCode::kResource,
                  fmt::format("{}: found {} bytes free, expected room for {} bytes of tensors",
                              directory_, space.available, total_));
  }

  Status WriteShard(const Shard& shard) {
    RINGLET_ASSIGN_OR_RETURN(
        SafetensorsWriter writer,
        SafetensorsWriter::Create(Path(shard.file), shard.entries, {{"format", "pt"}}));
    for (const SafetensorsEntry& entry : shard.entries) {
      RINGLET_RETURN_IF_ERROR(WriteTensor(entry, writer));
    }
    RINGLET_RETURN_IF_ERROR(writer.Finish());
    written_.push_back(shard.file);
    return Status::Ok();
  }

  Status WriteTensor(const SafetensorsEntry& entry, SafetensorsWriter& writer) {
    Rng rng(SeedOf(entry.name, options_.seed));
    const Distribution d = DistributionOf(entry, config_, options_.scale);
    const int64_t value_bytes = Traits(entry.dtype).block_bytes;
    auto left = static_cast<int64_t>(BytesOf(entry)) / value_bytes;
    for (; left > 0; left -= kBatch) {
      const int64_t count = std::min(left, kBatch);
      floats_.resize(static_cast<size_t>(count));
      for (float& value : floats_) value = d.mean + d.spread * NearNormal(rng);
      if (entry.dtype == DType::kF32) {
        RINGLET_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(floats_))));
      } else {
        halves_.resize(floats_.size());
        std::ranges::transform(floats_, halves_.begin(), FloatToBf16);
        RINGLET_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(halves_))));
      }
      done_ += static_cast<uint64_t>(count * value_bytes);
      if (options_.progress) options_.progress(done_, total_);
    }
    return Status::Ok();
  }

  Status WriteIndex() {
    OrderedJson map = OrderedJson::object();
    // Inserting one by one into an ordered object is quadratic; its storage is a vector of pairs.
    auto& items = map.get_ref<OrderedJson::object_t&>();
    for (const Shard& shard : shards_) {
      for (const SafetensorsEntry& entry : shard.entries) {
        items.push_back({entry.name, OrderedJson(shard.file)});
      }
    }
    const OrderedJson index = {{"metadata", {{"total_size", total_}}},
                               {"weight_map", std::move(map)}};
    return WriteText("model.safetensors.index.json", index.dump(2) + "\n");
  }

  Status WriteText(const std::string& file, const std::string& text) {
    RINGLET_RETURN_IF_ERROR(WriteFile(Path(file), text));
    written_.push_back(file);
    return Status::Ok();
  }

  ModelConfig config_;
  std::string directory_;
  const RandomCheckpointOptions& options_;
  std::vector<Shard> shards_;
  std::vector<std::string> written_;
  std::vector<float> floats_;
  std::vector<bf16_t> halves_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
};

Status CheckOptions(const RandomCheckpointOptions& options) {
  if (options.dtype != DType::kBF16 && options.dtype != DType::kF32) {
    return BadInput("dtype", "", Name(options.dtype), "BF16 or F32");
  }
  if (!std::isfinite(options.scale) || options.scale <= 0 || options.scale > 1e3) {
    return BadInput("scale", "", fmt::format("{}", options.scale), "a positive number up to 1000");
  }
  if (options.shard_bytes == 0) {
    return BadInput("shard_bytes", "", "0", "a positive number of bytes");
  }
  return Status::Ok();
}

}  // namespace

Status MakeEmptyDirectory(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error)) {
    if (!fs::is_directory(directory, error)) {
      return BadInput(directory, "", "a file", "a new or empty directory");
    }
    if (!fs::is_empty(directory, error) && !error) {
      return BadInput(directory, "", "a directory with files in it", "a new or empty directory");
    }
  } else {
    fs::create_directories(directory, error);
  }
  if (!error) return Status::Ok();
  return Status(StatusCode::kIo, fmt::format("{}: {}", directory, error.message()));
}

Status WriteRandomCheckpoint(const OrderedJson& config_json, const std::string& generation_json,
                             const std::string& directory, const RandomCheckpointOptions& options) {
  RINGLET_RETURN_IF_ERROR(CheckOptions(options));
  const Json json(config_json);
  RINGLET_ASSIGN_OR_RETURN(const HfArchitecture* architecture, FindHfArchitecture(json, "config"));
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, MapHfConfig(json, "config"));
  RINGLET_RETURN_IF_ERROR(MakeEmptyDirectory(directory));
  Writer writer(std::move(config), directory, options);
  Status status = writer.Run(architecture->bind, config_json, generation_json);
  if (!status.ok()) writer.RemoveFiles();
  return status;
}

}  // namespace ringlet
