#include "cli/preset_name.h"

#include <algorithm>

namespace ringlet::cli {

Result<const Preset*> FindPresetByAnyName(std::string_view name) {
  std::string plain(name.substr(name.rfind('/') + 1));  // npos + 1 is 0: no owner
  std::ranges::transform(plain, plain.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::string_view kVersionSuffix = "-2.0";
  if (plain.ends_with(kVersionSuffix)) plain.resize(plain.size() - kVersionSuffix.size());
  return FindPreset(plain);
}

}  // namespace ringlet::cli
