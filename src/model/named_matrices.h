// The matrices of a packed model under the names of model/weight_source.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/packed.h"

namespace ringlet {

// Pointers into `model`, in the order in which a token uses them.
std::vector<std::pair<std::string, const PackedMatrix*>> NamedMatrices(const PackedModel& model);

}  // namespace ringlet
