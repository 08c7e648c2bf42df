// A trained model as a Hugging Face directory: what `ringlet run` and others load.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "train/step/parameters.h"

namespace ringlet {

// Writes model.safetensors (BF16; the experts' bias fp32; one tensor for each of the architecture),
// `texts` by file name (tokenizer, card), and config.json last, so that a directory with a
// config.json is a whole model. Files are replaced. Errors: the operating system's.
Status WriteModelDirectory(const std::string& directory, const ParameterSet& parameters,
                           const OrderedJson& config,
                           const std::map<std::string, std::string>& texts);

}  // namespace ringlet
