#include "train/config/toml.h"

#include <cmath>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/text.h"

namespace ringlet {
namespace {

// toml++ refuses documents nested deeper than TOML_MAX_NESTED_VALUES.
TomlValue Convert(const toml::node& node) {
  using Kind = TomlValue::Kind;
  TomlValue value;
  value.line = static_cast<uint32_t>(node.source().begin.line);
  if (const toml::table* table = node.as_table()) {
    value.kind = Kind::kTable;
    for (const auto& [key, member] : *table) {
      value.members.push_back({std::string(key.str()), Convert(member)});
      value.members.back().value.line = static_cast<uint32_t>(key.source().begin.line);
    }
  } else if (const toml::array* array = node.as_array()) {
    value.kind = Kind::kArray;
    for (const toml::node& item : *array) value.items.push_back(Convert(item));
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Kind::kBoolean;
    value.boolean = boolean->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Kind::kInteger;
    value.integer = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = Kind::kNumber;
    value.number = number->get();
  } else if (const auto* text = node.as_string()) {
    value.kind = Kind::kString;
    value.text = text->get();
  } else {
    value.kind = Kind::kOther;
  }
  return value;
}

}  // namespace

const TomlValue* TomlValue::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name == key) return &value;
  }
  return nullptr;
}

Result<TomlValue> ParseToml(std::string_view text, std::string_view source) {
  try {
    return Convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return BadInput(fmt::format("{}:{}", source, error.source().begin.line), "",
                    Quote(error.description()), "TOML");
  }
}

std::string_view TomlKindName(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::kBoolean:
      return "a boolean";
    case TomlValue::Kind::kInteger:
      return "an integer";
    case TomlValue::Kind::kNumber:
      return "a number";
    case TomlValue::Kind::kString:
      return "a string";
    case TomlValue::Kind::kArray:
      return "an array";
    case TomlValue::Kind::kTable:
      return "a table";
    case TomlValue::Kind::kOther:
      return "a date";
  }
  return "";
}

std::string TomlBrief(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case TomlValue::Kind::kInteger:
      return fmt::to_string(value.integer);
    case TomlValue::Kind::kNumber:
      return fmt::to_string(value.number);
    case TomlValue::Kind::kString:
      return fmt::format("the string {}", Quote(value.text));
    default:
      return std::string(TomlKindName(value.kind));
  }
}

std::string TomlString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string TomlNumber(double value) {
  RINGLET_CHECK(std::isfinite(value), "only finite numbers are settings");
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace ringlet
