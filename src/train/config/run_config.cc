#include "train/config/run_config.h"

#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/text.h"
#include "train/config/fields.h"

namespace ringlet {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

// Reads one document; after a problem nothing more is read.
class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  const Status& status() const { return status_; }

  void Fail(uint32_t line, std::string_view key, std::string_view found,
            std::string_view expected) {
    if (status_.ok()) {
      status_ = BadInput(fmt::format("{}:{}", source_, line), key, found, expected);
    }
  }

  template <typename S>
  void ReadFields(const TomlValue& table, std::string_view prefix,
                  const std::vector<Field<S>>& fields, std::set<std::string_view> others, S* out) {
    for (const Field<S>& field : fields) {
      const TomlValue* value = table.Find(field.key);
      const std::string key = fmt::format("{}{}", prefix, field.key);
      if (value != nullptr) {
        std::visit([&](const auto& type) { Read(*value, key, type, out); }, field.type);
      } else if (field.required) {
        Fail(table.line, key, "nothing", "a value");
      }
      others.insert(field.key);
    }
    for (const auto& [key, value] : table.members) {
      if (!others.contains(key)) {
        Fail(value.line, fmt::format("{}{}", prefix, key), "an unknown key",
             fmt::format("one of {}", fmt::join(others, ", ")));
      }
    }
  }

 private:
  template <typename S>
  void Read(const TomlValue& value, const std::string& key, const IntegerField<S>& type, S* out) {
    const std::string expected = fmt::format("an integer from {} to {}", type.min, type.max);
    if (value.kind != TomlValue::Kind::kInteger || value.integer < type.min ||
        value.integer > type.max) {
      return Fail(value.line, key, TomlBrief(value), expected);
    }
    type.at(*out) = value.integer;
  }
  template <typename S>
  void Read(const TomlValue& value, const std::string& key, const NumberField<S>& type, S* out) {
    const bool integer = value.kind == TomlValue::Kind::kInteger;
    const double number = integer ? static_cast<double>(value.integer) : value.number;
    // Written so that NaN is outside.
    if ((!integer && value.kind != TomlValue::Kind::kNumber) ||
        !(number >= type.min && number <= type.max)) {
      return Fail(value.line, key, TomlBrief(value),
                  fmt::format("a number from {} to {}", type.min, type.max));
    }
    type.at(*out) = number;
  }
  template <typename S>
  void Read(const TomlValue& value, const std::string& key, const TextField<S>& type, S* out) {
    if (value.kind != TomlValue::Kind::kString) {
      return Fail(value.line, key, TomlBrief(value), "a string");
    }
    if (value.text.find('\0') != std::string::npos) {
      return Fail(value.line, key, TomlBrief(value), "text without NUL");
    }
    type.at(*out) = value.text;
  }
  template <typename S>
  void Read(const TomlValue& value, const std::string& key, const ChoiceField<S>& type, S* out) {
    for (size_t i = 0; i < type.words.size(); ++i) {
      if (value.kind == TomlValue::Kind::kString && value.text == type.words[i]) {
        return type.set(*out, static_cast<int>(i));
      }
    }
    Fail(value.line, key, TomlBrief(value),
         fmt::format("one of \"{}\"", fmt::join(type.words, "\", \"")));
  }

  std::string source_;
  Status status_;
};

// What JSON can hold: [model.set] becomes part of a config.json.
void CheckJsonValue(const TomlValue& value, std::string_view key, Reader* reader) {
  const bool number = value.kind == TomlValue::Kind::kNumber;
  if (value.kind == TomlValue::Kind::kOther || (number && !std::isfinite(value.number))) {
    reader->Fail(value.line, key, TomlBrief(value), "a value that JSON has");
  }
  for (const TomlValue& item : value.items) CheckJsonValue(item, key, reader);
  for (const auto& [name, member] : value.members) CheckJsonValue(member, key, reader);
}

// An array of tables, as [[key]] makes it; nullptr when absent or wrong.
const std::vector<TomlValue>* TableArray(const TomlValue& root, std::string_view key,
                                         Reader* reader) {
  const TomlValue* value = root.Find(key);
  if (value == nullptr) return nullptr;
  const std::string expected = fmt::format("tables that begin with [[{}]]", key);
  if (value->kind != TomlValue::Kind::kArray || value->items.empty()) {
    reader->Fail(value->line, key, TomlBrief(*value), expected);
    return nullptr;
  }
  for (const TomlValue& item : value->items) {
    if (item.kind != TomlValue::Kind::kTable) {
      reader->Fail(item.line, key, TomlBrief(item), expected);
      return nullptr;
    }
  }
  return &value->items;
}

template <typename S>
void ReadTables(const TomlValue& root, std::string_view key, const std::vector<Field<S>>& fields,
                Reader* reader, std::vector<S>* out) {
  const std::vector<TomlValue>* items = TableArray(root, key, reader);
  if (items == nullptr) return;
  out->clear();
  for (const TomlValue& item : *items) {
    S settings;
    reader->ReadFields(item, fmt::format("{}.", key), fields, {}, &settings);
    out->push_back(std::move(settings));
  }
}

// Where a setting stands, for errors that concern several of them.
uint32_t LineOf(const TomlValue& root, std::string_view table, std::string_view key) {
  const TomlValue* at = table.empty() ? &root : root.Find(table);
  if (at == nullptr) return 1;
  const TomlValue* value = at->Find(key);
  return std::max(value != nullptr ? value->line : at->line, 1U);
}

void CheckStages(const RunConfig& config, const TomlValue& root, Reader* reader) {
  const uint32_t line = LineOf(root, "", "stage");
  int64_t steps = 0;
  for (size_t i = 0; i < config.stages.size(); ++i) {
    const StageSettings& stage = config.stages[i];
    const bool last = i + 1 == config.stages.size();
    if (stage.steps == 0 && !last) {
      return reader->Fail(line, "stage.steps", fmt::format("0 in stage {}", i + 1),
                          "0 only in the last stage");
    }
    if (config.micro_batch_tokens % stage.sequence != 0) {
      return reader->Fail(
          line, "stage.sequence", fmt::to_string(stage.sequence),
          fmt::format("a divisor of micro_batch_tokens, {}", config.micro_batch_tokens));
    }
    if (stage.steps == 0 && steps >= config.steps) {
      return reader->Fail(line, "stage.steps", fmt::format("{} before the last stage", steps),
                          fmt::format("less than steps, {}", config.steps));
    }
    steps += std::min(stage.steps, config.steps + 1);  // no overflow, and still too many
  }
  if (config.stages.back().steps != 0 && steps != config.steps) {
    reader->Fail(line, "stage.steps", fmt::format("{} together", steps),
                 fmt::format("steps, {}", config.steps));
  }
}

void CheckTogether(const RunConfig& config, const TomlValue& root, Reader* reader) {
  if (config.data.empty()) reader->Fail(1, "data", "nothing", "at least one [[data]]");
  if (!config.model.preset.empty() && !config.model.config.empty()) {
    reader->Fail(LineOf(root, "model", "config"), "model.config", "a preset beside it",
                 "one of the two");
  }
  if (config.model.preset.empty() && config.model.config.empty() && config.model.weights.empty() &&
      config.model.set.members.empty()) {
    reader->Fail(LineOf(root, "model", ""), "model", "nothing",
                 "preset, config, weights or [model.set]");
  }
  if (config.batch_tokens % config.micro_batch_tokens != 0) {
    reader->Fail(LineOf(root, "", "micro_batch_tokens"), "micro_batch_tokens",
                 fmt::to_string(config.micro_batch_tokens),
                 fmt::format("a divisor of batch_tokens, {}", config.batch_tokens));
  }
  const ScheduleSettings& schedule = config.schedule;
  if (schedule.warmup_steps > config.steps) {
    reader->Fail(LineOf(root, "schedule", "warmup_steps"), "schedule.warmup_steps",
                 fmt::to_string(schedule.warmup_steps),
                 fmt::format("at most steps, {}", config.steps));
  }
  if (schedule.decay_steps > 0 && schedule.kind != ScheduleKind::kWsd) {
    reader->Fail(LineOf(root, "schedule", "decay_steps"), "schedule.decay_steps",
                 fmt::to_string(schedule.decay_steps), "0 unless kind is \"wsd\"");
  }
  if (schedule.decay_steps > config.steps - schedule.warmup_steps) {
    reader->Fail(LineOf(root, "schedule", "decay_steps"), "schedule.decay_steps",
                 fmt::to_string(schedule.decay_steps), "at most the steps after the warm-up");
  }
  if (config.guard.min_samples > config.guard.window) {
    reader->Fail(LineOf(root, "guard", "min_samples"), "guard.min_samples",
                 fmt::to_string(config.guard.min_samples),
                 fmt::format("at most window, {}", config.guard.window));
  }
  const MergeSettings& merge = config.merge;
  if (merge.count > 1 &&
      (merge.every_steps == 0 || merge.every_steps > (config.steps - 1) / (merge.count - 1))) {
    reader->Fail(LineOf(root, "merge", "every_steps"), "merge.every_steps",
                 fmt::to_string(merge.every_steps),
                 fmt::format("at least 1, and room for {} weights in the run", merge.count));
  }
  CheckStages(config, root, reader);
}

}  // namespace

const StageSettings& RunConfig::StageOf(int64_t step) const {
  for (const StageSettings& stage : stages) {
    if (stage.steps == 0 || step <= stage.steps) return stage;
    step -= stage.steps;
  }
  return stages.back();
}

Result<RunConfig> ParseRunConfig(std::string_view text, const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const TomlValue root, ParseToml(text, source));
  RunConfig config;
  Reader reader(source);
  for (const FieldTable& table : RunTables()) {
    if (table.name.empty()) {
      std::set<std::string_view> others = {"data", "stage"};
      for (const FieldTable& other : RunTables()) {
        if (!other.name.empty()) others.insert(other.name);
      }
      reader.ReadFields(root, "", table.fields, others, &config);
      continue;
    }
    const TomlValue* value = root.Find(table.name);
    if (value == nullptr) continue;
    if (value->kind != TomlValue::Kind::kTable) {
      reader.Fail(value->line, table.name, TomlBrief(*value),
                  fmt::format("a table that begins with [{}]", table.name));
      continue;
    }
    std::set<std::string_view> others;
    if (table.name == "model") others.insert("set");
    reader.ReadFields(*value, fmt::format("{}.", table.name), table.fields, others, &config);
    if (const TomlValue* set = value->Find("set"); table.name == "model" && set != nullptr) {
      if (set->kind != TomlValue::Kind::kTable) {
        reader.Fail(set->line, "model.set", TomlBrief(*set), "a table of keys of config.json");
      }
      CheckJsonValue(*set, "model.set", &reader);
      config.model.set = *set;
    }
  }
  ReadTables(root, "data", DataFields(), &reader, &config.data);
  ReadTables(root, "stage", StageFields(), &reader, &config.stages);
  if (reader.status().ok()) CheckTogether(config, root, &reader);
  RINGLET_RETURN_IF_ERROR(reader.status());
  return config;
}

Result<RunConfig> ReadRunConfig(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  RINGLET_ASSIGN_OR_RETURN(RunConfig config, ParseRunConfig(text, path));
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos) config.directory = path.substr(0, slash + 1);
  return config;
}

std::string ConfigPath(const RunConfig& config, const std::string& path) {
  return path.starts_with('/') ? path : config.directory + path;
}

}  // namespace ringlet
