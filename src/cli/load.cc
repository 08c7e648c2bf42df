#include "cli/load.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/cpu_features.h"
#include "base/file.h"
#include "cli/progress.h"

namespace ringlet::cli {

Result<IsaChoice> ChooseIsa(const GlobalOptions& globals) {
  if (globals.force_isa.empty()) return IsaChoice::Detect();
  Result<IsaChoice> choice = IsaChoice::Force(globals.force_isa);
  if (!choice.ok()) return choice.status().WithContext("RINGLET_FORCE_ISA");
  return choice;
}

int ThreadCount(const GlobalOptions& globals) {
  return globals.threads > 0 ? static_cast<int>(globals.threads) : DetectCpu().usable_cores;
}

Status CheckCompute(const std::string& compute) {
  if (compute == "bf16" || compute == "f32") return Status::Ok();
  return BadInput("--compute", "", compute, "bf16 or f32");
}

Status CheckKvDtype(const std::string& type) {
  if (type == "bf16" || type == "int8") return Status::Ok();
  return BadInput("--kv-dtype", "", type, "bf16 or int8");
}

std::string CacheDirectory(const std::string& model, const GlobalOptions& globals) {
  if (globals.cache == "off") return "";
  if (!globals.cache.empty()) return globals.cache;
  if (IsDirectory(model)) return model + "/.ringlet";
  const size_t slash = model.rfind('/');
  return (slash == std::string::npos ? std::string(".") : model.substr(0, slash)) + "/.ringlet";
}

Result<LoadedModel> PackModel(Checkpoint checkpoint, const ModelRequest& request,
                              const GlobalOptions& globals) {
  RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
  auto context = std::make_shared<Context>(isa, ThreadCount(globals));
  Progress progress("Loading", ProgressUnit::kBytes, globals.quiet);
  LoadOptions options;
  options.compute = request.compute == "f32" ? ComputeType::kF32 : ComputeType::kBf16;
  options.kv = request.kv_dtype == "int8" ? KvType::kInt8 : KvType::kBf16;
  options.cache_directory = CacheDirectory(checkpoint.path, globals);
  options.progress = [&](uint64_t done, uint64_t total) {
    progress.Update(done, total);
    return true;
  };
  const auto begin = std::chrono::steady_clock::now();
  LoadedModel loaded;
  RINGLET_ASSIGN_OR_RETURN(loaded.model, Model::Load(std::move(checkpoint), *context, options));
  loaded.pack_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EngineOptions engine_options;
  engine_options.max_step_rows = request.max_step_rows;
  loaded.context = context;
  loaded.engine = std::make_unique<Engine>(loaded.model, std::move(context), engine_options);
  return loaded;
}

Outcome ModelFailure(const Status& status) {
  Outcome outcome(status);
  if (status.code() != StatusCode::kNotFound) return outcome;
  return std::move(outcome).WithHint(
      "MODEL is a Hugging Face directory or a GGUF file; 'ringlet new' makes one with random "
      "weights");
}

}  // namespace ringlet::cli
