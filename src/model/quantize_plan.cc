#include "model/quantize_plan.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "model/checkpoint_source.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {
namespace {

constexpr std::string_view kWeightSuffix = ".weight";
constexpr std::string_view kScaleInverse = "_scale_inv";
constexpr int64_t kGroups[] = {16, 32, 64, 128};

enum class Role { kLinear, kHead, kTied, kEmbedding, kRouter };

struct Use {
  Role role = Role::kLinear;
  std::string name;  // of the matrix that the tensor is a part of
};

// Which matrix of the model each tensor belongs to.
std::unordered_map<const StoredTensor*, Use> UsesOf(const NamedWeights& named) {
  std::unordered_map<const StoredTensor*, Use> uses;
  for (const auto& [name, matrix] : named.matrices) {
    Role role = Role::kLinear;
    if (name == "head") role = Role::kHead;
    if (name == "embedding") role = Role::kEmbedding;
    if (name.ends_with(".router")) role = Role::kRouter;
    for (const MatrixSegment& segment : matrix->segments) {
      const auto [found, added] = uses.emplace(segment.tensor, Use{role, name});
      if (!added) found->second = {Role::kTied, "head"};
    }
  }
  return uses;
}

std::string ModuleName(const std::string& name) {
  return name.ends_with(kWeightSuffix) ? name.substr(0, name.size() - kWeightSuffix.size()) : name;
}

class Planner {
 public:
  Planner(const Checkpoint& checkpoint, const QuantizeOptions& options)
      : checkpoint_(checkpoint), options_(options), group_(options.group) {
    if (group_ == 0) group_ = DefaultGroup(options);
  }

  Result<QuantizePlan> Plan() && {
    RINGLET_RETURN_IF_ERROR(CheckOptions());
    const NamedWeights named = NameWeights(checkpoint_.weights);
    const auto uses = UsesOf(named);
    std::vector<bool> rule_matched(options_.keep.size(), false);
    for (const std::string& name : checkpoint_.tensors->Names()) {
      const StoredTensor& tensor = *checkpoint_.tensors->Find(name);
      if (IsScaleOfAnother(name)) continue;
      TensorPlan plan;
      plan.matrix.segments = {{.tensor = &tensor}};
      if (const auto use = uses.find(&tensor); use != uses.end()) {
        RINGLET_RETURN_IF_ERROR(
            PlanMatrix(use->second, *named.matrices.at(use->second.name), rule_matched, plan));
      }
      Describe(plan);
      plan_.tensors.push_back(std::move(plan));
    }
    for (size_t i = 0; i < rule_matched.size(); ++i) {
      if (rule_matched[i]) continue;
      return BadInput("--keep", "", options_.keep[i].pattern,
                      fmt::format("a pattern that matches a matrix of {}", checkpoint_.path));
    }
    RINGLET_RETURN_IF_ERROR(MakeShards());
    return std::move(plan_);
  }

 private:
  Status CheckOptions() const {
    const bool fp8 = options_.type == WeightType::kFp8;
    if (!fp8 && !IsPackedInteger(options_.type)) {
      return BadInput("--dtype", "", Name(options_.type), "int4, int8 or fp8");
    }
    if (fp8 && options_.group != 0) {
      return BadInput("--group", "", fmt::to_string(options_.group),
                      "none with fp8, which has blocks of 128 x 128");
    }
    if (!fp8 && std::ranges::find(kGroups, group_) == std::end(kGroups)) {
      return BadInput("--group", "", fmt::to_string(group_), "16, 32, 64 or 128");
    }
    if (options_.portable && group_ == 16) {
      return BadInput("--group", "", "16", "32, 64 or 128 with --portable");
    }
    for (const KeepRule& rule : options_.keep) {
      if (fp8 ? !IsPackedInteger(rule.type) : rule.type != WeightType::kFp8) continue;
      return BadInput(
          "--keep", rule.pattern, Name(rule.type),
          fmt::format("a type that can stand beside {} in one checkpoint", Name(options_.type)));
    }
    if (options_.shard_bytes == 0) {
      return BadInput("--shard-size", "", "0", "a positive size");
    }
    return Status::Ok();
  }

  // Scales of FP8 tensors go with these.
  bool IsScaleOfAnother(const std::string& name) const {
    if (!name.ends_with(kScaleInverse)) return false;
    const StoredTensor* other =
        checkpoint_.tensors->Find(name.substr(0, name.size() - kScaleInverse.size()));
    return other != nullptr && other->dtype == DType::kF8E4M3;
  }

  // What a matrix of this role becomes when no rule speaks of it. The router decides between
  // experts, the embedding is read one row a token: neither gains anything. The head is a third of
  // what a token reads, and its errors are the logits' own: eight bits.
  WeightType DefaultType(Role role) const {
    if (role == Role::kLinear) return options_.type;
    const bool head = role == Role::kHead || role == Role::kTied;
    if (!head || options_.portable || options_.type == WeightType::kFp8) return WeightType::kSource;
    return WeightType::kInt8;
  }

  // Finer groups gain nothing at 8 bits.
  int64_t GroupOf(WeightType type) const {
    return type == WeightType::kInt8 ? std::max(group_, kQuantGroup) : group_;
  }

  bool Fits(WeightType type, const StoredTensor& tensor) const {
    if (!IsPackedInteger(type) && type != WeightType::kFp8) return true;
    if (tensor.shape.size() != 2 || !tensor.name.ends_with(kWeightSuffix)) return false;
    const int64_t cols = tensor.row_elements();
    return type == WeightType::kFp8 || (cols % GroupOf(type) == 0 && cols % kQuantGroup == 0);
  }

  Status PlanMatrix(const Use& use, const MatrixRef& whole, std::vector<bool>& rule_matched,
                    TensorPlan& plan) const {
    const StoredTensor& tensor = plan.tensor();
    for (const MatrixSegment& segment : whole.segments) {
      if (segment.tensor == &tensor) plan.matrix.segments = {segment};
    }
    plan.matrix.segments[0].row_begin = 0;
    plan.matrix.segments[0].rows = tensor.rows();
    plan.matrix.rows = tensor.rows();
    plan.matrix.cols = tensor.row_elements();
    plan.linear = use.role != Role::kEmbedding && use.role != Role::kTied;
    plan.type = DefaultType(use.role);
    const std::string module = ModuleName(tensor.name);
    bool asked = false;
    for (size_t i = 0; i < options_.keep.size(); ++i) {
      const std::string& pattern = options_.keep[i].pattern;
      if (!MatchesPattern(pattern, module) && !MatchesPattern(pattern, tensor.name)) continue;
      rule_matched[i] = true;
      plan.type = options_.keep[i].type;
      asked = true;
    }
    if (!Fits(plan.type, tensor)) {
      if (asked) {
        return BadInput(
            "--keep", module, Name(plan.type),
            fmt::format("source or bf16: its {} columns are not whole groups of {}",
                        tensor.row_elements(), std::max(GroupOf(plan.type), kQuantGroup)));
      }
      plan.type = WeightType::kSource;
    }
    if (tensor.dtype == DType::kF8E4M3 && plan.type == WeightType::kSource) {
      plan.type = WeightType::kBf16;
    }
    if (plan.type == WeightType::kBf16 && tensor.dtype == DType::kBF16) {
      plan.type = WeightType::kSource;
    }
    if (IsPackedInteger(plan.type)) plan.group = GroupOf(plan.type);
    if (plan.type == WeightType::kInt4 && options_.importance != nullptr) {
      const auto found = options_.importance->find(use.name);
      if (found != options_.importance->end() && std::ssize(found->second) == plan.matrix.cols) {
        plan.importance = &found->second;
      }
    }
    return Status::Ok();
  }

  static void Describe(TensorPlan& plan) {
    const StoredTensor& tensor = plan.tensor();
    const auto blocks = [](int64_t size) { return (size + kFp8ScaleBlock - 1) / kFp8ScaleBlock; };
    switch (plan.type) {
      case WeightType::kSource:
        plan.entries = {{tensor.name, tensor.dtype, tensor.shape}};
        return;
      case WeightType::kBf16:
        plan.entries = {{tensor.name, DType::kBF16, tensor.shape}};
        return;
      case WeightType::kFp8:
        plan.entries = {{tensor.name, DType::kF8E4M3, tensor.shape},
                        {tensor.name + std::string(kScaleInverse),
                         DType::kF32,
                         {blocks(plan.matrix.rows), blocks(plan.matrix.cols)}}};
        return;
      case WeightType::kInt4:
      case WeightType::kInt8: {
        const int64_t per_word = plan.type == WeightType::kInt4 ? 8 : 4;
        const int64_t rows = plan.matrix.rows;
        const int64_t cols = plan.matrix.cols;
        plan.entries = {{tensor.name + "_packed", DType::kI32, {rows, cols / per_word}},
                        {tensor.name + "_scale", DType::kBF16, {rows, cols / plan.group}},
                        {tensor.name + "_shape", DType::kI64, {2}}};
        return;
      }
    }
  }

  Status MakeShards() {
    ShardPlan shard;
    const auto finish = [&](size_t end) {
      if (end == shard.begin) return;
      shard.end = end;
      plan_.shards.push_back(std::move(shard));
      shard = ShardPlan();
      shard.begin = end;
    };
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      const TensorPlan& tensor = plan_.tensors[i];
      const uint64_t bytes = tensor.Bytes();
      if (shard.bytes + bytes > options_.shard_bytes) finish(i);
      shard.bytes += bytes;
      shard.source_bytes += tensor.SourceBytes();
      plan_.bytes += bytes;
      plan_.source_bytes += tensor.SourceBytes();
    }
    finish(plan_.tensors.size());
    if (plan_.shards.empty()) {
      return BadInput(checkpoint_.path, "", "no tensors", "a checkpoint with weights");
    }
    const size_t count = plan_.shards.size();
    for (size_t s = 0; s < count; ++s) {
      ShardPlan& made = plan_.shards[s];
      made.file = count == 1 ? "model.safetensors"
                             : fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, count);
      ListEntries(made);
    }
    return Status::Ok();
  }

  void ListEntries(ShardPlan& shard) const {
    for (const bool shapes : {true, false}) {
      for (size_t i = shard.begin; i < shard.end; ++i) {
        for (const SafetensorsEntry& entry : plan_.tensors[i].entries) {
          const bool shape = IsPackedInteger(plan_.tensors[i].type) && entry.dtype == DType::kI64;
          if (shape == shapes) shard.entries.push_back(entry);
        }
      }
    }
  }

  const Checkpoint& checkpoint_;
  const QuantizeOptions& options_;
  int64_t group_;
  QuantizePlan plan_;
};

OrderedJson SchemeJson(WeightType type, int64_t group, OrderedJson targets) {
  return {{"targets", std::move(targets)},
          {"weights",
           {{"num_bits", type == WeightType::kInt4 ? 4 : 8},
            {"type", "int"},
            {"symmetric", true},
            {"strategy", "group"},
            {"group_size", group},
            {"dynamic", false}}},
          {"input_activations", nullptr},
          {"output_activations", nullptr}};
}

}  // namespace

std::string TensorPlan::Module() const { return ModuleName(tensor().name); }

bool TensorPlan::copied() const { return type == WeightType::kSource; }

uint64_t TensorPlan::Bytes() const {
  uint64_t bytes = 0;
  for (const SafetensorsEntry& entry : entries) {
    uint64_t size = static_cast<uint64_t>(Traits(entry.dtype).block_bytes);
    for (const int64_t dimension : entry.shape) size *= static_cast<uint64_t>(dimension);
    bytes += size;
  }
  return bytes;
}

bool IsPackedInteger(WeightType type) {
  return type == WeightType::kInt4 || type == WeightType::kInt8;
}

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  // Where to go on when what follows the last * does not fit.
  size_t star = std::string_view::npos;
  size_t resume = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<QuantizePlan> PlanQuantization(const Checkpoint& checkpoint,
                                      const QuantizeOptions& options) {
  return Planner(checkpoint, options).Plan();
}

OrderedJson QuantizationJson(const QuantizePlan& plan, const QuantizeOptions& options) {
  OrderedJson plain = OrderedJson::array();
  // Modules that "Linear" does not cover, by type.
  std::map<WeightType, OrderedJson> named;
  std::map<WeightType, int64_t> group;
  for (const TensorPlan& tensor : plan.tensors) {
    const bool packed = IsPackedInteger(tensor.type);
    if (packed) group[tensor.type] = tensor.group;
    if (tensor.linear && tensor.type != options.type && !packed) plain.push_back(tensor.Module());
    if (packed && (tensor.type != options.type || !tensor.linear)) {
      named.emplace(tensor.type, OrderedJson::array()).first->second.push_back(tensor.Module());
    }
  }
  if (options.type == WeightType::kFp8) {
    return {{"quant_method", "fp8"},
            {"fmt", "e4m3"},
            {"activation_scheme", "dynamic"},
            {"weight_block_size", {kFp8ScaleBlock, kFp8ScaleBlock}},
            {"modules_to_not_convert", std::move(plain)}};
  }
  const int64_t linear_group =
      group.contains(options.type) ? group[options.type] : DefaultGroup(options);
  OrderedJson groups = {
      {"group_0", SchemeJson(options.type, linear_group, OrderedJson::array({"Linear"}))}};
  for (auto& [type, modules] : named) {
    groups[fmt::format("group_{}", groups.size())] =
        SchemeJson(type, group[type], std::move(modules));
  }
  return {{"quant_method", "compressed-tensors"}, {"format", "pack-quantized"},
          {"quantization_status", "compressed"},  {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},           {"ignore", std::move(plain)},
          {"config_groups", std::move(groups)}};
}

int64_t DefaultGroup(const QuantizeOptions& options) {
  if (options.type == WeightType::kFp8) return 0;
  return options.portable || options.type == WeightType::kInt8 ? 32 : 16;
}

}  // namespace ringlet
