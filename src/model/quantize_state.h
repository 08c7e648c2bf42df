// What an interrupted `quantize` has finished, so that the next run continues it: a JSON file in
// the output directory, replaced after every shard and removed at the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "model/quantize.h"

namespace ringlet {

struct FinishedShard {
  uint64_t hash = 0;  // XXH3 of the file
  std::vector<TensorReport> tensors;
};

struct QuantizeState {
  OrderedJson identity;  // what must be equal in both runs
  std::map<std::string, FinishedShard> shards;
};

inline constexpr std::string_view kQuantizeStateFile = ".ringlet-quantize.json";

// What the bytes of the output depend on: options and the source's files with sizes and times.
OrderedJson QuantizeIdentity(const Checkpoint& checkpoint, const QuantizeOptions& options);

Result<QuantizeState> ReadQuantizeState(const std::string& path);
Status WriteQuantizeState(const std::string& path, const QuantizeState& state);

// Names the first key in which the runs differ.
Status CheckSameRun(const std::string& path, const OrderedJson& found, const OrderedJson& expected);

// XXH3 of a file, read once from front to back.
Result<uint64_t> HashFile(const std::string& path);

}  // namespace ringlet
