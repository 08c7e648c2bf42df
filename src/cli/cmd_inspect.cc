// ringlet inspect: what a model or a preset is and what it costs.
#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/load.h"
#include "cli/preset_name.h"
#include "model/checkpoint.h"
#include "model/presets.h"
#include "model/text_model.h"

namespace ringlet::cli {
namespace {

struct WeightSummary {
  struct PerType {
    int64_t tensors = 0;
    uint64_t bytes = 0;
  };
  int64_t tensors = 0;
  uint64_t bytes = 0;
  std::map<std::string, PerType, std::less<>> types;
};

WeightSummary Summarize(const TensorSource& source) {
  WeightSummary summary;
  for (const std::string& name : source.Names()) {
    const StoredTensor* tensor = source.Find(name);
    WeightSummary::PerType& type = summary.types[std::string(Name(tensor->dtype))];
    ++summary.tensors;
    ++type.tensors;
    summary.bytes += tensor->data.size();
    type.bytes += tensor->data.size();
  }
  return summary;
}

std::string Plural(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// The weight files of a checkpoint, sorted.
std::vector<std::string> WeightFiles(const std::string& path) {
  if (!IsDirectory(path)) return {path};
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".safetensors") files.push_back(it->path().string());
  }
  std::ranges::sort(files);
  return files;
}

class InspectCommand : public Command {
 public:
  std::string_view name() const override { return "inspect"; }
  std::string_view summary() const override {
    return "Show a model's architecture, parameters and memory";
  }
  std::string_view footer() const override {
    return "Example:\n  ringlet inspect Ring-mini-linear-2.0\n"
           "'ringlet new --list' names the presets.";
  }
  void Declare(Args& args) override {
    args.Positional("MODEL", model_, "Checkpoint directory, GGUF file, or the name of a preset");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions&) override {
    if (FileExists(model_) || IsDirectory(model_)) return InspectPath();
    const Result<const Preset*> preset = FindPresetByAnyName(model_);
    if (!preset.ok()) {
      return Outcome(Status(StatusCode::kNotFound,
                            fmt::format("{}: found no such file, directory or preset", model_)))
          .WithHint("'ringlet new --list' names the presets");
    }
    RINGLET_ASSIGN_OR_RETURN(const ModelConfig config, PresetConfig(**preset));
    OrderedJson json{{"preset", (*preset)->name}};
    Print(DescribeLine("Preset", fmt::format("{} ({})", (*preset)->name, (*preset)->summary)),
          config, "", json);
    return {};
  }

 private:
  void Print(const std::string& head, const ModelConfig& config, const std::string& tail,
             OrderedJson json) const {
    if (json_) {
      json.update(DescribeJson(config));
      fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    } else {
      fmt::print("{}{}{}", head, DescribeText(config), tail);
    }
  }

  Outcome InspectPath() const {
    OrderedJson json{{"path", model_}};
    const std::string head = DescribeLine("Model", model_);
    const std::vector<std::string> files = WeightFiles(model_);
    if (files.empty()) {  // a config.json alone still says a lot
      RINGLET_ASSIGN_OR_RETURN(const ModelConfig config, ReadModelConfig(model_));
      json["weights"] = nullptr;
      Print(head, config, DescribeLine("Weights", "none in this directory"), json);
      return {};
    }
    const Result<Checkpoint> checkpoint = OpenCheckpoint(model_);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    const WeightSummary weights = Summarize(*checkpoint->tensors);
    std::string tail =
        DescribeLine("Weights", fmt::format("{} in {}, {}", FormatBytes(weights.bytes),
                                            Plural(weights.tensors, "tensor"),
                                            Plural(std::ssize(files), "file")));
    json["weights"] = {{"tensors", weights.tensors}, {"bytes", weights.bytes}, {"files", files}};
    for (const auto& [type, part] : weights.types) {
      tail += DescribeLine("  " + type, fmt::format("{} in {}", FormatBytes(part.bytes),
                                                    Plural(part.tensors, "tensor")));
      json["weights"]["types"][type] = {{"tensors", part.tensors}, {"bytes", part.bytes}};
    }
    DescribeTextModel(*checkpoint, tail, json);
    Print(head, checkpoint->config, tail, json);
    return {};
  }

  // Whether the checkpoint can take text, and chat.
  static void DescribeTextModel(const Checkpoint& checkpoint, std::string& tail,
                                OrderedJson& json) {
    const TextParts parts = InspectTextModel(checkpoint);
    tail += DescribeLine("Tokenizer", parts.tokenizer);
    tail += DescribeLine("Chat template", parts.chat_template);
    json["tokenizer"] = parts.has_tokenizer;
    json["chat_template"] = parts.has_template;
  }

  std::string model_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInspectCommand() { return std::make_unique<InspectCommand>(); }

}  // namespace ringlet::cli
