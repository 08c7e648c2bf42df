// From a path on the command line to an engine.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "engine/engine.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "ops/isa.h"

namespace ringlet::cli {

struct ModelRequest {
  std::string path;
  std::string compute = "bf16";   // or "f32"
  std::string kv_dtype = "bf16";  // or "int8"
  int64_t max_step_rows = 512;
};

struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<Context> context;  // the engine's
  std::unique_ptr<Engine> engine;
  double pack_seconds = 0;
};

// The instruction set to run: RINGLET_FORCE_ISA's, else the processor's best.
Result<IsaChoice> ChooseIsa(const GlobalOptions& globals);

// Threads to use: --threads, else every usable core.
int ThreadCount(const GlobalOptions& globals);

// Whether --compute names an arithmetic.
Status CheckCompute(const std::string& compute);

// Whether --kv-dtype names a type for keys and values.
Status CheckKvDtype(const std::string& type);

// Where the packed form of MODEL is kept: --cache, else a hidden directory beside it; empty:
// nowhere.
std::string CacheDirectory(const std::string& model, const GlobalOptions& globals);

// Packs an opened model, with a progress bar on stderr.
Result<LoadedModel> PackModel(Checkpoint checkpoint, const ModelRequest& request,
                              const GlobalOptions& globals);

// A failure to open MODEL, with what MODEL may be.
Outcome ModelFailure(const Status& status);

}  // namespace ringlet::cli
