// A validator of JSON Schema for tests, written from the specification and sharing nothing with the
// compiler: the keywords that grammars enforce, nothing else.
#pragma once

#include <cmath>
#include <regex>
#include <string>
#include <string_view>

#include "base/json.h"

namespace ringlet {

class SchemaValidator {
 public:
  explicit SchemaValidator(const OrderedJson& root) : root_(root) {}

  bool Valid(const Json& value) const { return Check(root_, value); }

 private:
  static bool IsType(std::string_view type, const Json& v) {
    if (type == "integer") {
      return v.is_number() && v.get<double>() == std::floor(v.get<double>());
    }
    return (type == "null" && v.is_null()) || (type == "boolean" && v.is_boolean()) ||
           (type == "object" && v.is_object()) || (type == "array" && v.is_array()) ||
           (type == "string" && v.is_string()) || (type == "number" && v.is_number());
  }

  bool Check(const OrderedJson& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    for (const auto& [key, demand] : schema.items()) {
      if (!CheckKeyword(schema, key, demand, value)) return false;
    }
    return true;
  }

  int CountBranches(const OrderedJson& branches, const Json& value) const {
    int count = 0;
    for (const OrderedJson& branch : branches) count += Check(branch, value) ? 1 : 0;
    return count;
  }

  bool CheckKeyword(const OrderedJson& schema, std::string_view key, const OrderedJson& demand,
                    const Json& value) const {
    if (key == "$ref") {
      return Check(root_.at(OrderedJson::json_pointer(demand.get<std::string>().substr(1))), value);
    }
    if (key == "type") {
      if (schema.value("nullable", false) && value.is_null()) return true;
      for (const OrderedJson& type : demand.is_array() ? demand : OrderedJson::array({demand})) {
        if (IsType(type.get<std::string>(), value)) return true;
      }
      return false;
    }
    if (key == "enum") {
      for (const OrderedJson& one : demand) {
        if (Json(one) == value) return true;
      }
      return false;
    }
    if (key == "const") return Json(demand) == value;
    if (key == "anyOf") return CountBranches(demand, value) > 0;
    if (key == "oneOf") return CountBranches(demand, value) == 1;
    if (key == "allOf") return CountBranches(demand, value) == static_cast<int>(demand.size());
    if (value.is_number()) return CheckNumber(key, demand, value.get<double>());
    if (value.is_string()) return CheckString(key, demand, value.get<std::string>());
    if (value.is_array()) return CheckArray(schema, key, demand, value);
    if (value.is_object()) return CheckObject(schema, key, demand, value);
    return true;
  }

  static bool CheckNumber(std::string_view key, const OrderedJson& demand, double value) {
    if (key == "minimum") return value >= demand.get<double>();
    if (key == "maximum") return value <= demand.get<double>();
    if (key == "exclusiveMinimum") return value > demand.get<double>();
    if (key == "exclusiveMaximum") return value < demand.get<double>();
    return true;
  }

  static bool CheckString(std::string_view key, const OrderedJson& demand,
                          const std::string& value) {
    size_t length = 0;
    for (const char c : value) length += (c & 0xC0) != 0x80 ? 1 : 0;
    if (key == "minLength") return length >= demand.get<size_t>();
    if (key == "maxLength") return length <= demand.get<size_t>();
    if (key == "pattern") return std::regex_search(value, std::regex(demand.get<std::string>()));
    return true;
  }

  bool CheckArray(const OrderedJson& schema, std::string_view key, const OrderedJson& demand,
                  const Json& value) const {
    if (key == "minItems") return value.size() >= demand.get<size_t>();
    if (key == "maxItems") return value.size() <= demand.get<size_t>();
    const size_t prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
    for (size_t i = 0; i < value.size(); ++i) {
      if (key == "prefixItems" && i < prefix && !Check(demand[i], value[i])) return false;
      if (key == "items" && i >= prefix && !Check(demand, value[i])) return false;
    }
    return true;
  }

  bool CheckObject(const OrderedJson& schema, std::string_view key, const OrderedJson& demand,
                   const Json& value) const {
    if (key == "required") {
      for (const OrderedJson& name : demand) {
        if (!value.contains(name.get<std::string>())) return false;
      }
    }
    for (const auto& [name, member] : value.items()) {
      const bool declared = schema.contains("properties") && schema["properties"].contains(name);
      if (key == "properties" && declared && !Check(demand[name], member)) return false;
      if (key == "additionalProperties" && !declared && !Check(demand, member)) return false;
    }
    return true;
  }

  const OrderedJson& root_;
};

}  // namespace ringlet
