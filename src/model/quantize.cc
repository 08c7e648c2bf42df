#include "model/quantize.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "model/quantize_plan.h"
#include "model/quantize_state.h"
#include "model/quantize_tensor.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexFile = "model.safetensors.index.json";
// Larger side files are weights in other formats.
constexpr uint64_t kMaxSideFile = uint64_t{64} << 20;

Result<OrderedJson> ReadConfig(const Checkpoint& checkpoint) {
  const auto unsupported = [&](std::string_view found) {
    return Status(StatusCode::kUnsupported,
                  fmt::format("{}: found {}, expected a Hugging Face directory with BF16, F16, F32 "
                              "or FP8 weights",
                              checkpoint.path, found));
  };
  if (checkpoint.gguf != nullptr) return unsupported("a GGUF file");
  if (checkpoint.packed != nullptr) return unsupported("weights packed for the kernels");
  const std::string path = checkpoint.path + "/config.json";
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  RINGLET_ASSIGN_OR_RETURN(OrderedJson config, ParseOrderedJson(text, path));
  const OrderedJson quantization = config.value("quantization_config", OrderedJson());
  if (quantization.is_object() && quantization.value("quant_method", OrderedJson()) != "fp8") {
    return unsupported("weights that are quantized already");
  }
  return config;
}

class Quantizer {
 public:
  Quantizer(const Checkpoint& checkpoint, std::string directory, Context& context,
            const QuantizeOptions& options)
      : checkpoint_(checkpoint),
        directory_(std::move(directory)),
        context_(context),
        options_(options) {}

  Result<QuantizeReport> Run() && {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson config, ReadConfig(checkpoint_));
    RINGLET_ASSIGN_OR_RETURN(plan_, PlanQuantization(checkpoint_, options_));
    RINGLET_RETURN_IF_ERROR(OpenDirectory());
    RINGLET_ASSIGN_OR_RETURN(const DirectoryLock lock, DirectoryLock::Acquire(directory_));
    RINGLET_RETURN_IF_ERROR(Resume());
    const Status status = Write(std::move(config));
    std::error_code ignored;
    if (status.ok() || state_.shards.empty()) fs::remove(StatePath(), ignored);
    if (status.ok()) return Report();
    fs::remove(directory_, ignored);  // if it is empty
    return status;
  }

 private:
  Status Write(OrderedJson config) {
    RINGLET_RETURN_IF_ERROR(CheckSpace());
    for (const ShardPlan& shard : plan_.shards) RINGLET_RETURN_IF_ERROR(Shard(shard));
    if (plan_.shards.size() > 1) RINGLET_RETURN_IF_ERROR(WriteIndex());
    RINGLET_RETURN_IF_ERROR(CopySideFiles());
    config["quantization_config"] = QuantizationJson(plan_, options_);
    // Last, so that a directory with a config.json is a whole checkpoint.
    return WriteFile(Path("config.json"), config.dump(2) + "\n");
  }

  std::string Path(std::string_view file) const { return fmt::format("{}/{}", directory_, file); }
  std::string StatePath() const { return Path(kQuantizeStateFile); }

  // The directory exists, and is empty or left by an interrupted run.
  Status OpenDirectory() const {
    std::error_code error;
    if (!fs::exists(directory_, error)) {
      fs::create_directories(directory_, error);
    } else if (!fs::is_directory(directory_, error)) {
      return BadInput(directory_, "", "a file", "a new or empty directory");
    } else if (!fs::is_empty(directory_, error) && !error && !FileExists(StatePath())) {
      return BadInput(directory_, "", "a directory with files in it",
                      "a new or empty directory, or one of an interrupted run");
    }
    if (!error) return Status::Ok();
    return Status(StatusCode::kIo, fmt::format("{}: {}", directory_, error.message()));
  }

  // Keeps the shards of an earlier run that are whole; the rest is written again.
  Status Resume() {
    state_.identity = QuantizeIdentity(checkpoint_, options_);
    if (!FileExists(StatePath())) return WriteQuantizeState(StatePath(), state_);
    RINGLET_ASSIGN_OR_RETURN(QuantizeState before, ReadQuantizeState(StatePath()));
    RINGLET_RETURN_IF_ERROR(CheckSameRun(StatePath(), before.identity, state_.identity));
    RemoveTemporaries();
    for (const ShardPlan& shard : plan_.shards) {
      const auto found = before.shards.find(shard.file);
      if (found == before.shards.end()) continue;
      const Result<uint64_t> hash = HashFile(Path(shard.file));
      const bool whole = hash.ok() && *hash == found->second.hash &&
                         found->second.tensors.size() == shard.end - shard.begin;
      if (whole) {
        state_.shards[shard.file] = std::move(found->second);
        ++report_.resumed_shards;
      } else {
        ++report_.damaged_shards;
      }
    }
    return Status::Ok();
  }

  // What a killed run was writing.
  void RemoveTemporaries() const {
    std::vector<fs::path> temporaries;
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().filename().string().find(".tmp.") != std::string::npos) {
        temporaries.push_back(entry->path());
      }
    }
    for (const fs::path& path : temporaries) fs::remove(path, error);
  }

  Status CheckSpace() const {
    uint64_t needed = 0;
    for (const ShardPlan& shard : plan_.shards) {
      if (!state_.shards.contains(shard.file)) needed += shard.bytes;
    }
    std::error_code error;
    const fs::space_info space = fs::space(directory_, error);
    if (error || space.available >= needed) return Status::Ok();
    return Status(StatusCode::kResource,
                  fmt::format("{}: found {} bytes free, expected room for {} bytes of tensors",
                              directory_, space.available, needed));
  }

  Status Shard(const ShardPlan& shard) {
    if (state_.shards.contains(shard.file)) {
      return Advance(shard.source_bytes) ? Status::Ok() : Stopped();
    }
    RINGLET_ASSIGN_OR_RETURN(
        SafetensorsWriter writer,
        SafetensorsWriter::Create(Path(shard.file), shard.entries, {{"format", "pt"}}));
    FinishedShard finished;
    for (size_t i = shard.begin; i < shard.end; ++i) {
      if (!IsPackedInteger(plan_.tensors[i].type)) continue;
      RINGLET_RETURN_IF_ERROR(WriteShape(plan_.tensors[i], writer));
    }
    for (size_t i = shard.begin; i < shard.end; ++i) {
      RINGLET_ASSIGN_OR_RETURN(TensorReport tensor,
                               WriteTensor(plan_.tensors[i], *checkpoint_.tensors, context_, writer,
                                           [this](uint64_t bytes) { return Advance(bytes); }));
      finished.tensors.push_back(std::move(tensor));
    }
    RINGLET_RETURN_IF_ERROR(writer.Finish());
    finished.hash = writer.Hash();
    state_.shards[shard.file] = std::move(finished);
    return WriteQuantizeState(StatePath(), state_);
  }

  static Status Stopped() { return Status(StatusCode::kCancelled, "quantizing was stopped"); }

  bool Advance(uint64_t bytes) {
    done_ += bytes;
    return !options_.progress || options_.progress(done_, plan_.source_bytes);
  }

  Status WriteIndex() const {
    OrderedJson map = OrderedJson::object();
    // Inserting one by one into an ordered object is quadratic; its storage is a vector of pairs.
    auto& items = map.get_ref<OrderedJson::object_t&>();
    for (const ShardPlan& shard : plan_.shards) {
      for (const SafetensorsEntry& entry : shard.entries) {
        items.push_back({entry.name, OrderedJson(shard.file)});
      }
    }
    const OrderedJson index = {{"metadata", {{"total_size", plan_.bytes}}},
                               {"weight_map", std::move(map)}};
    return WriteFile(Path(kIndexFile), index.dump(2) + "\n");
  }

  // Tokenizer, template, generation_config.json, code, licence: every file that is neither weights
  // nor what describes them.
  Status CopySideFiles() {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(checkpoint_.path, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_regular_file(ignored)) files.push_back(entry->path());
    }
    std::ranges::sort(files);
    for (const fs::path& path : files) {
      const std::string name = path.filename().string();
      if (name.starts_with('.') || path.extension() == ".safetensors" || name == kIndexFile ||
          name == "config.json") {
        continue;
      }
      if (fs::file_size(path, error) > kMaxSideFile) {
        report_.skipped_files.push_back(name);
        continue;
      }
      RINGLET_ASSIGN_OR_RETURN(const std::string content, ReadFile(path.string(), kMaxSideFile));
      RINGLET_RETURN_IF_ERROR(WriteFile(Path(name), content));
    }
    return Status::Ok();
  }

  QuantizeReport Report() {
    for (const ShardPlan& shard : plan_.shards) {
      for (TensorReport& tensor : state_.shards[shard.file].tensors) {
        report_.tensors.push_back(std::move(tensor));
      }
    }
    report_.source_bytes = plan_.source_bytes;
    report_.bytes = plan_.bytes;
    report_.shards = std::ssize(plan_.shards);
    return std::move(report_);
  }

  const Checkpoint& checkpoint_;
  std::string directory_;
  Context& context_;
  const QuantizeOptions& options_;
  QuantizePlan plan_;
  QuantizeState state_;
  QuantizeReport report_;
  uint64_t done_ = 0;
};

}  // namespace

std::string_view Name(WeightType type) {
  switch (type) {
    case WeightType::kSource:
      return "source";
    case WeightType::kBf16:
      return "bf16";
    case WeightType::kInt8:
      return "int8";
    case WeightType::kInt4:
      return "int4";
    case WeightType::kFp8:
      return "fp8";
  }
  return {};
}

std::optional<WeightType> WeightTypeFromName(std::string_view name) {
  for (const WeightType type : {WeightType::kSource, WeightType::kBf16, WeightType::kInt8,
                                WeightType::kInt4, WeightType::kFp8}) {
    if (Name(type) == name) return type;
  }
  return std::nullopt;
}

double TensorReport::RelativeError() const {
  return squared_norm > 0 ? std::sqrt(squared_error / squared_norm) : 0;
}

double TensorReport::BitsPerWeight() const {
  return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0;
}

Status CheckQuantizable(const Checkpoint& checkpoint, const QuantizeOptions& options) {
  RINGLET_RETURN_IF_ERROR(ReadConfig(checkpoint).status());
  return PlanQuantization(checkpoint, options).status();
}

Result<QuantizeReport> QuantizeCheckpoint(const Checkpoint& checkpoint,
                                          const std::string& directory, Context& context,
                                          const QuantizeOptions& options) {
  return Quantizer(checkpoint, directory, context, options).Run();
}

}  // namespace ringlet
