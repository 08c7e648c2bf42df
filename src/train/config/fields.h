// One row for every setting: the parser, the canonical text and the reference all walk the rows, so
// that none of them can know a key that another does not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "train/config/run_config.h"

namespace ringlet {

template <typename Settings>
struct IntegerField {
  std::function<int64_t&(Settings&)> at;
  int64_t min = 0;
  int64_t max = 0;
};

template <typename Settings>
struct NumberField {
  std::function<double&(Settings&)> at;
  double min = 0;
  double max = 0;
};

template <typename Settings>
struct TextField {
  std::function<std::string&(Settings&)> at;
};

// One of some words; an enumeration's values in order.
template <typename Settings>
struct ChoiceField {
  std::function<int(const Settings&)> get;
  std::function<void(Settings&, int)> set;
  std::vector<std::string_view> words;
};

template <typename Settings>
struct Field {
  std::string_view key;
  std::string_view help;
  std::variant<IntegerField<Settings>, NumberField<Settings>, TextField<Settings>,
               ChoiceField<Settings>>
      type;
  bool decides_weights = true;  // part of the fingerprint
  bool required = false;
};

// A TOML table of settings of a run; the first one is the top level, without a name.
struct FieldTable {
  std::string_view name;
  std::string_view help;
  std::vector<Field<RunConfig>> fields;
};

const std::vector<FieldTable>& RunTables();
// Of each [[data]] and each [[stage]].
const std::vector<Field<DataSettings>>& DataFields();
const std::vector<Field<StageSettings>>& StageFields();

}  // namespace ringlet
