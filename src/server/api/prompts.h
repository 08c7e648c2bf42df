// Prompts of a request: a text, token ids, or an array of either.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/api/fields.h"
#include "server/api/served_model.h"

namespace ringlet {

inline constexpr size_t kMaxPrompts = 256;

// The four shapes of the field `key`, encoded. On errors `fields` has failed and nothing is
// returned.
std::vector<std::vector<int32_t>> ReadPrompts(Fields& fields, const ServedModel& model,
                                              std::string_view key);

// An array of ids of the model, or nothing and `fields` has failed.
std::vector<int32_t> ReadTokenIds(Fields& fields, const ServedModel& model, std::string_view key,
                                  const OrderedJson& array);

}  // namespace ringlet
