#include "cli/describe.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"

namespace ringlet::cli {
namespace {

// Context lengths whose memory is listed: round ones, and the model's longest.
std::vector<int64_t> ListedContexts(const ModelConfig& config) {
  std::vector<int64_t> lengths;
  for (const int64_t length : {4096, 32768, 131072, 1048576}) {
    if (config.max_position <= 0 || length < config.max_position) lengths.push_back(length);
  }
  if (config.max_position > 0) lengths.push_back(config.max_position);
  return lengths;
}

std::string_view MixerName(MixerKind kind) {
  return kind == MixerKind::kLightning ? "lightning" : "softmax";
}

struct Run {
  MixerKind mixer;
  int64_t count;
};

std::vector<Run> MixerRuns(std::span<const LayerSpec> layers) {
  std::vector<Run> runs;
  for (const LayerSpec& layer : layers) {
    if (runs.empty() || runs.back().mixer != layer.mixer) runs.push_back({layer.mixer, 0});
    ++runs.back().count;
  }
  return runs;
}

std::string RunName(const Run& run) {
  return fmt::format("{} {}", run.count, MixerName(run.mixer));
}

std::string JoinRuns(std::span<const Run> runs) {
  std::string text;
  for (const Run& run : runs) text += (text.empty() ? "" : " + ") + RunName(run);
  return text;
}

int64_t CountMixers(const ModelConfig& config, MixerKind kind) {
  return std::ranges::count(config.layers, kind, &LayerSpec::mixer);
}

int64_t CountFfns(const ModelConfig& config, FfnKind kind) {
  return std::ranges::count(config.layers, kind, &LayerSpec::ffn);
}

std::string_view ScalingName(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::kNone:
      return "none";
    case RopeScaling::kLinear:
      return "linear";
    case RopeScaling::kYarn:
      return "yarn";
    case RopeScaling::kLlama3:
      return "llama3";
  }
  return "unknown";
}

std::string Parameters(const ModelStats& stats) {
  const auto total = static_cast<uint64_t>(stats.total);
  return fmt::format(
      "{} / {} / {}", FormatParameters(total),
      FormatParameterPart(static_cast<uint64_t>(stats.active), total),
      FormatParameterPart(static_cast<uint64_t>(stats.active_without_embeddings), total));
}

std::string Bytes(int64_t bytes) { return FormatBytes(static_cast<uint64_t>(bytes)); }

}  // namespace

std::string LayerPattern(const ModelConfig& config) {
  const std::span<const LayerSpec> layers(config.layers);
  const std::vector<Run> runs = MixerRuns(layers);
  // The unit is the first two runs; layers after its last repetition are listed.
  const size_t unit = runs.size() < 2 ? 0 : static_cast<size_t>(runs[0].count + runs[1].count);
  size_t repeated = unit;
  while (unit > 0 && repeated + unit <= layers.size() &&
         std::ranges::equal(layers.first(unit), layers.subspan(repeated, unit), {},
                            &LayerSpec::mixer, &LayerSpec::mixer)) {
    repeated += unit;
  }
  if (repeated < 2 * unit || unit == 0) return JoinRuns(runs);
  std::string text = fmt::format("({}) x {}", JoinRuns(std::span(runs).first(2)), repeated / unit);
  const std::string rest = JoinRuns(MixerRuns(layers.subspan(repeated)));
  return rest.empty() ? text : text + " + " + rest;
}

std::string FfnSummary(const ModelConfig& config) {
  std::string text;
  const int64_t dense = CountFfns(config, FfnKind::kDense);
  if (dense > 0) text = fmt::format("{} dense of {}", dense, config.dense_ffn);
  const int64_t moe = CountFfns(config, FfnKind::kMoe);
  if (moe > 0) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} MoE: {} of {} experts of {}", moe, config.moe.top_k, config.moe.experts,
                        config.moe.expert_ffn);
    if (config.moe.groups > 1) {
      text += fmt::format(" in {} of {} groups", config.moe.top_groups, config.moe.groups);
    }
    if (config.moe.shared_ffn > 0) text += fmt::format(", shared {}", config.moe.shared_ffn);
  }
  return text;
}

std::string ContextSummary(const ModelConfig& config) {
  std::string text =
      fmt::format("{} tokens, RoPE base {:.10g} on {} of {} dimensions",
                  FormatCount(static_cast<uint64_t>(std::max<int64_t>(config.max_position, 0))),
                  config.rope.theta, config.rope.rotary_dim, config.head_dim);
  if (config.rope.scaling != RopeScaling::kNone) {
    text += fmt::format(", {} x {:.4g}", ScalingName(config.rope.scaling), config.rope.factor);
  }
  return text;
}

int64_t SequenceBytes(const ModelStats& stats, int64_t tokens) {
  return stats.kv_bytes_per_token * tokens + stats.state_bytes_per_sequence +
         stats.tail_bytes_per_sequence;
}

std::string DescribeLine(std::string_view label, std::string_view value) {
  return fmt::format("{:<20}{}\n", label, value);
}

std::string DescribeText(const ModelConfig& config) {
  const ModelStats stats = CountParameters(config);
  const int64_t lightning = CountMixers(config, MixerKind::kLightning);
  const int64_t softmax = CountMixers(config, MixerKind::kSoftmax);
  std::string text = DescribeLine("Architecture", config.architecture);
  text += DescribeLine("Layers", fmt::format("{}: {}", config.layers.size(), LayerPattern(config)));
  text += DescribeLine("Attention",
                       fmt::format("{} heads of {} ({} for keys and values in softmax layers)",
                                   config.heads, config.head_dim, config.kv_heads));
  text += DescribeLine("Hidden size", fmt::format("{}", config.hidden));
  text += DescribeLine("Feed-forward", FfnSummary(config));
  if (config.mtp_layers > 0)
    text += DescribeLine("MTP layers", fmt::format("{}", config.mtp_layers));
  text += DescribeLine("Vocabulary",
                       fmt::format("{}{}", FormatCount(static_cast<uint64_t>(config.vocab)),
                                   config.tied_embeddings ? ", tied embeddings" : ""));
  text += DescribeLine("Context", ContextSummary(config));
  text += DescribeLine("End tokens", fmt::format("{}", fmt::join(config.eos_ids, ", ")));
  text += DescribeLine("Parameters",
                       Parameters(stats) + " (total / active / active without embeddings)");
  text += DescribeLine("Memory per token",
                       fmt::format("{} (keys and values of {} softmax layers, BF16)",
                                   Bytes(stats.kv_bytes_per_token), softmax));
  if (lightning > 0) {
    text += DescribeLine(
        "Memory per sequence",
        fmt::format("{} (state of {} lightning layers, FP32) + at most {} (tail, FP32)",
                    Bytes(stats.state_bytes_per_sequence), lightning,
                    Bytes(stats.tail_bytes_per_sequence)));
  }
  for (const int64_t tokens : ListedContexts(config)) {
    text += DescribeLine(fmt::format("  {:>9} tokens", FormatCount(static_cast<uint64_t>(tokens))),
                         Bytes(SequenceBytes(stats, tokens)));
  }
  return text;
}

OrderedJson DescribeJson(const ModelConfig& config) {
  const ModelStats stats = CountParameters(config);
  OrderedJson json;
  json["architecture"] = config.architecture;
  json["layers"] = {{"count", config.layers.size()},
                    {"lightning", CountMixers(config, MixerKind::kLightning)},
                    {"softmax", CountMixers(config, MixerKind::kSoftmax)},
                    {"dense_ffn", CountFfns(config, FfnKind::kDense)},
                    {"moe_ffn", CountFfns(config, FfnKind::kMoe)},
                    {"mtp", config.mtp_layers},
                    {"pattern", LayerPattern(config)}};
  json["hidden"] = config.hidden;
  json["heads"] = config.heads;
  json["kv_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["vocab"] = config.vocab;
  json["max_position"] = config.max_position;
  json["eos_ids"] = config.eos_ids;
  if (CountFfns(config, FfnKind::kMoe) > 0) {
    json["moe"] = {{"experts", config.moe.experts},       {"top_k", config.moe.top_k},
                   {"groups", config.moe.groups},         {"top_groups", config.moe.top_groups},
                   {"expert_ffn", config.moe.expert_ffn}, {"shared_ffn", config.moe.shared_ffn}};
  }
  json["parameters"] = {{"total", stats.total},
                        {"mtp", stats.mtp},
                        {"active", stats.active},
                        {"active_without_embeddings", stats.active_without_embeddings},
                        {"text", Parameters(stats)}};
  OrderedJson contexts = OrderedJson::array();
  for (const int64_t tokens : ListedContexts(config)) {
    contexts.push_back({{"tokens", tokens}, {"bytes", SequenceBytes(stats, tokens)}});
  }
  json["memory"] = {{"kv_bytes_per_token", stats.kv_bytes_per_token},
                    {"state_bytes_per_sequence", stats.state_bytes_per_sequence},
                    {"tail_bytes_per_sequence", stats.tail_bytes_per_sequence},
                    {"contexts", contexts}};
  return json;
}

}  // namespace ringlet::cli
