// The model that a run's settings describe.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "model/config.h"
#include "train/config/run_config.h"

namespace ringlet {

struct RunModel {
  OrderedJson json;  // config.json of the model that comes out
  ModelConfig config;
};

// The preset or the config.json of [model], changed by [model.set]. Errors name the key of
// config.json.
Result<RunModel> ResolveRunModel(const RunConfig& config);

}  // namespace ringlet
