// ringlet new: a random-weight checkpoint of a true shape.
#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/format.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/preset_name.h"
#include "cli/progress.h"
#include "model/model_stats.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"
#include "model/random_packed.h"

namespace ringlet::cli {
namespace {

constexpr double kMaxScale = 1e3;

std::optional<PackedType> FindPackedType(std::string_view name) {
  if (name == "int4") return PackedType::kInt4;
  if (name == "int8") return PackedType::kInt8;
  if (name == "fp8") return PackedType::kFp8;
  return std::nullopt;
}

class NewCommand : public Command {
 public:
  std::string_view name() const override { return "new"; }
  std::string_view summary() const override {
    return "Write a random-weight checkpoint of a known shape";
  }
  std::string_view footer() const override {
    return "Example:\n  ringlet new tiny-hybrid /tmp/tiny --seed 1\n"
           "The directory has config.json and weights, but no tokenizer.";
  }

  void Declare(Args& args) override {
    args.OptionalPositional("PRESET", preset_, "Name of the shape");
    args.OptionalPositional("DIR", directory_, "Directory to create");
    args.Flag("--list", list_, "List the presets and end");
    args.Flag("--json", json_, "With --list: print one JSON array");
    args.Option("--seed", seed_, "N", "Random seed");
    args.Option("--dtype", dtype_, "TYPE",
                "Type of the weights: bf16, f32, or packed fp8, int8 or int4");
    args.Option("--head-dtype", head_dtype_, "TYPE",
                "Type of the output head of a packed model: fp8, int8 or int4");
    args.Option("--layers", layers_, "N", "Only the first N layers, to time a model of many");
    args.Option("--scale", scale_, "X", "Multiplies the standard deviation of every matrix");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (list_) return List();
    if (json_) return Outcome::Usage("--json: expected --list with it");
    if (preset_.empty() || directory_.empty()) {
      return Outcome::Usage("new: PRESET and DIR are required")
          .WithHint("'ringlet new --list' names the presets");
    }
    RandomCheckpointOptions options;
    if (dtype_ == "f32") {
      options.dtype = DType::kF32;
    } else if (const auto packed = FindPackedType(dtype_)) {
      return WritePacked(globals, *packed);
    } else if (dtype_ != "bf16") {
      return Outcome::Usage(
          fmt::format("--dtype: found {}, expected bf16, f32, fp8, int8 or int4", dtype_));
    }
    if (!(scale_ > 0 && scale_ <= kMaxScale)) {
      return Outcome::Usage(fmt::format("--scale: found {}, expected a number above 0 and up to {}",
                                        scale_, kMaxScale));
    }
    options.seed = seed_;
    options.scale = scale_;
    return Write(globals, options);
  }

 private:
  Outcome List() const {
    OrderedJson json = OrderedJson::array();
    for (const Preset& preset : Presets()) {
      RINGLET_ASSIGN_OR_RETURN(const ModelConfig config, PresetConfig(preset));
      const int64_t total = CountParameters(config).total;
      if (json_) {
        json.push_back({{"name", preset.name}, {"parameters", total}, {"summary", preset.summary}});
      } else {
        fmt::print("{:<20}{:>8}  {}\n", preset.name, FormatParameters(static_cast<uint64_t>(total)),
                   preset.summary);
      }
    }
    if (json_) fmt::print("{}\n", json.dump(2));
    return {};
  }

  // With the layers that were asked for.
  Result<OrderedJson> ConfigOf(const Preset& preset) const {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson config, PresetJson(preset));
    if (!layers_) return config;
    const auto all = config["num_hidden_layers"].get<int64_t>();
    if (*layers_ < 1 || *layers_ > all) {
      return BadInput("--layers", "", fmt::to_string(*layers_), fmt::format("1 to {}", all));
    }
    config["num_hidden_layers"] = *layers_;
    return config;
  }

  Outcome Write(const GlobalOptions& globals, RandomCheckpointOptions& options) const {
    RINGLET_ASSIGN_OR_RETURN(const Preset* preset, FindPresetByAnyName(preset_));
    const Result<OrderedJson> config = ConfigOf(*preset);
    if (!config.ok()) return Outcome::Usage(config.status().message());
    Progress progress("Writing", ProgressUnit::kBytes, globals.quiet);
    uint64_t bytes = 0;
    options.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      bytes = total;
    };
    RINGLET_RETURN_IF_ERROR(
        WriteRandomCheckpoint(*config, std::string(preset->generation), directory_, options));
    progress.Finish();
    if (!globals.quiet) PrintResult(*preset, bytes);
    return {};
  }

  // Straight into the layouts of the kernels: full-size models need no BF16 form on the way.
  Outcome WritePacked(const GlobalOptions& globals, PackedType linear) const {
    const std::optional<PackedType> head = FindPackedType(head_dtype_);
    if (!head) {
      return Outcome::Usage(
          fmt::format("--head-dtype: found {}, expected fp8, int8 or int4", head_dtype_));
    }
    if (scale_ != 1.0) return Outcome::Usage("--scale: expected bf16 or f32 weights with it");
    RINGLET_ASSIGN_OR_RETURN(const Preset* preset, FindPresetByAnyName(preset_));
    const Result<OrderedJson> config = ConfigOf(*preset);
    if (!config.ok()) return Outcome::Usage(config.status().message());
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
    Context context(isa, ThreadCount(globals));
    Progress progress("Writing", ProgressUnit::kBytes, globals.quiet);
    RandomPackedOptions options;
    options.linear = linear;
    options.head = *head;
    options.seed = seed_;
    uint64_t bytes = 0;
    options.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      bytes = total;
    };
    RINGLET_RETURN_IF_ERROR(
        WriteRandomPacked(*config, std::string(preset->generation), directory_, context, options));
    progress.Finish();
    if (!globals.quiet) PrintResult(*preset, bytes);
    return {};
  }

  void PrintResult(const Preset& preset, uint64_t bytes) const {
    const std::string layers = layers_ ? fmt::format(", {} layers", *layers_) : "";
    fmt::print("{}: {} weights of shape {}{}, {}\n", directory_, dtype_, preset.name, layers,
               FormatBytes(bytes));
  }

  std::string preset_;
  std::string directory_;
  bool list_ = false;
  bool json_ = false;
  uint64_t seed_ = 0;
  std::string dtype_ = "bf16";
  std::string head_dtype_ = "int8";
  std::optional<int64_t> layers_;
  double scale_ = 1.0;
};

}  // namespace

std::unique_ptr<Command> MakeNewCommand() { return std::make_unique<NewCommand>(); }

}  // namespace ringlet::cli
