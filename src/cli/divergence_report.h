// A comparison of two models, for people and programs.
#pragma once

#include <string>

#include "base/json.h"
#include "engine/divergence.h"

namespace ringlet::cli {

// One line: "KL divergence 0.0123 (largest 0.456) over 514 tokens, ...".
std::string DivergenceText(const Divergence& divergence);

OrderedJson DivergenceJson(const Divergence& divergence);

}  // namespace ringlet::cli
