// A model's configuration and cost as text and JSON, for `inspect`.
#pragma once

#include <string>

#include "base/json.h"
#include "model/config.h"
#include "model/model_stats.h"

namespace ringlet::cli {

// The order of mixers: "(4 lightning + 1 softmax) x 4", "(4 lightning + 1 softmax) x 2 + 1
// softmax".
std::string LayerPattern(const ModelConfig& config);

// "1 dense of 5120, 19 MoE: 8 of 256 experts of 512, shared 512".
std::string FfnSummary(const ModelConfig& config);

// "32,768 tokens, RoPE base 600000, yarn x 4".
std::string ContextSummary(const ModelConfig& config);

// Bytes of one sequence of `tokens` tokens.
int64_t SequenceBytes(const ModelStats& stats, int64_t tokens);

// The lines that every model has, each "label  value\n".
std::string DescribeText(const ModelConfig& config);
// The same as an object.
OrderedJson DescribeJson(const ModelConfig& config);

// One line of such a description: the label padded to a common width.
std::string DescribeLine(std::string_view label, std::string_view value);

}  // namespace ringlet::cli
