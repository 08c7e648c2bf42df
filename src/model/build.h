// From a configuration and a source of weights to a model that computes.
#pragma once

#include "model/config.h"
#include "model/packed.h"
#include "model/weight_source.h"

namespace ringlet {

// Asks `source` for every weight of `config`, in the order of the layers. `kv` is the type of the
// softmax layers' pages. The result is complete if source.status() is ok.
PackedModel BuildPackedModel(const ModelConfig& config, KvType kv, WeightSource& source);

}  // namespace ringlet
