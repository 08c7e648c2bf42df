// A run's settings as text: canonical TOML, the fingerprint and the reference.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/hasher.h"
#include "train/config/fields.h"
#include "train/config/run_config.h"

namespace ringlet {
namespace {

template <typename S>
std::string ValueText(const Field<S>& field, const S& settings) {
  // The rows' accessors serve the parser too, so they give references that can be written.
  S& at = const_cast<S&>(settings);
  if (const auto* integer = std::get_if<IntegerField<S>>(&field.type)) {
    return fmt::to_string(integer->at(at));
  }
  if (const auto* number = std::get_if<NumberField<S>>(&field.type)) {
    return TomlNumber(number->at(at));
  }
  if (const auto* text = std::get_if<TextField<S>>(&field.type)) return TomlString(text->at(at));
  const auto& choice = std::get<ChoiceField<S>>(field.type);
  return TomlString(choice.words[static_cast<size_t>(choice.get(settings))]);
}

template <typename S>
std::string FieldsText(const std::vector<Field<S>>& fields, const S& settings, bool all) {
  std::string out;
  for (const Field<S>& field : fields) {
    if (all || field.decides_weights) {
      out += fmt::format("{} = {}\n", field.key, ValueText(field, settings));
    }
  }
  return out;
}

// A value inside a line; tables become inline tables.
std::string InlineText(const TomlValue& value) {
  std::string out;
  switch (value.kind) {
    case TomlValue::Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case TomlValue::Kind::kInteger:
      return fmt::to_string(value.integer);
    case TomlValue::Kind::kNumber:
      return TomlNumber(value.number);
    case TomlValue::Kind::kString:
      return TomlString(value.text);
    case TomlValue::Kind::kArray:
      for (const TomlValue& item : value.items) {
        out += (out.empty() ? "" : ", ") + InlineText(item);
      }
      return "[" + out + "]";
    case TomlValue::Kind::kTable:
      for (const auto& [key, member] : value.members) {
        out +=
            fmt::format("{}{} = {}", out.empty() ? "" : ", ", TomlString(key), InlineText(member));
      }
      return "{" + out + "}";
    case TomlValue::Kind::kOther:
      break;
  }
  return "\"\"";
}

std::string Text(const RunConfig& config, bool all) {
  std::string out;
  for (const FieldTable& table : RunTables()) {
    if (!table.name.empty()) out += fmt::format("\n[{}]\n", table.name);
    out += FieldsText(table.fields, config, all);
    if (table.name != "model" || config.model.set.members.empty()) continue;
    out += "\n[model.set]\n";
    auto members = config.model.set.members;
    std::ranges::sort(members, {}, &TomlMember::key);
    for (const auto& [key, value] : members) {
      out += fmt::format("{} = {}\n", TomlString(key), InlineText(value));
    }
  }
  for (const DataSettings& data : config.data) {
    out += "\n[[data]]\n" + FieldsText(DataFields(), data, all);
  }
  for (const StageSettings& stage : config.stages) {
    out += "\n[[stage]]\n" + FieldsText(StageFields(), stage, all);
  }
  return out;
}

template <typename S>
std::string TypeText(const Field<S>& field) {
  if (const auto* integer = std::get_if<IntegerField<S>>(&field.type)) {
    return integer->min == 0 ? "integer" : fmt::format("integer from {}", integer->min);
  }
  if (const auto* number = std::get_if<NumberField<S>>(&field.type)) {
    return fmt::format("number, {} to {}", number->min, number->max);
  }
  if (std::holds_alternative<TextField<S>>(field.type)) return "string";
  return fmt::format("`\"{}\"`", fmt::join(std::get<ChoiceField<S>>(field.type).words, "\"`, `\""));
}

template <typename S>
std::string ReferenceRows(const std::vector<Field<S>>& fields) {
  std::string out = "| key | type | default | |\n|---|---|---|---|\n";
  const S defaults;
  for (const Field<S>& field : fields) {
    out += fmt::format(
        "| `{}` | {} | {} | {} |\n", field.key, TypeText(field),
        field.required ? "required" : fmt::format("`{}`", ValueText(field, defaults)), field.help);
  }
  return out;
}

}  // namespace

std::string CanonicalToml(const RunConfig& config) { return Text(config, true); }

uint64_t RunFingerprint(const RunConfig& config) {
  RunConfig decides = config;
  // Nothing before its end depends on how long such a run is: it may be made longer.
  if (config.schedule.kind == ScheduleKind::kWsm) decides.steps = 1;
  const std::string text = Text(decides, false);
  return HashText(text);
}

std::string RunConfigReference() {
  std::string out;
  for (const FieldTable& table : RunTables()) {
    out += table.name.empty() ? fmt::format("### {}\n\n", table.help)
                              : fmt::format("\n### `[{}]`: {}\n\n", table.name, table.help);
    out += ReferenceRows(table.fields);
  }
  out += "\n### `[[data]]`: one for each source of text\n\n" + ReferenceRows(DataFields());
  out += "\n### `[[stage]]`: sequence lengths, one stage after the other\n\n" +
         ReferenceRows(StageFields());
  return out;
}

}  // namespace ringlet
