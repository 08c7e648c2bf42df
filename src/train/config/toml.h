// TOML as a tree of values that know their lines: toml++ behind one source file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringlet {

struct TomlMember;

struct TomlValue {
  enum class Kind { kBoolean, kInteger, kNumber, kString, kArray, kTable, kOther };

  Kind kind = Kind::kTable;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<TomlValue> items;     // of an array
  std::vector<TomlMember> members;  // of a table, by key
  uint32_t line = 0;                // from 1

  // nullptr when there is none.
  const TomlValue* Find(std::string_view key) const;
};

struct TomlMember {
  std::string key;
  TomlValue value;
};

// Errors name `source` and the line: bad syntax, bad UTF-8, keys given twice.
Result<TomlValue> ParseToml(std::string_view text, std::string_view source);

// "a string", "an integer", ... for messages; dates and times are "a date".
std::string_view TomlKindName(TomlValue::Kind kind);
// The value as text, short, for messages: what was found.
std::string TomlBrief(const TomlValue& value);

// `text` as a TOML string.
std::string TomlString(std::string_view text);
// The shortest text that reads back as this finite number, with a point or an exponent.
std::string TomlNumber(double value);

}  // namespace ringlet
