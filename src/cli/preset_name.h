// Preset names as people write them.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "model/presets.h"

namespace ringlet::cli {

// Finds a preset by its name or by the published model's: case, an owner before "/", and a version
// "-2.0" at the end do not matter ("inclusionAI/Ring-mini-linear-2.0").
Result<const Preset*> FindPresetByAnyName(std::string_view name);

}  // namespace ringlet::cli
