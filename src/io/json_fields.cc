#include "io/json_fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace ringlet {
namespace {

// Objects and arrays by their type, scalars by their value.
std::string Found(const Json& value) {
  if (value.is_structured()) return std::string(JsonTypeName(value));
  return JsonBrief(value);
}

}  // namespace

std::string JsonFields::PathOf(std::string_view key) const {
  // Plain keys as they are, others quoted.
  const std::string quoted = Quote(key);
  const std::string_view shown = quoted.size() == key.size() + 2 ? key : std::string_view(quoted);
  return path_.empty() ? std::string(shown) : fmt::format("{}.{}", path_, shown);
}

Status JsonFields::ExpectObject(std::initializer_list<std::string_view> known) const {
  if (!value_->is_object()) return Unexpected("an object");
  for (const auto& [key, unused] : value_->items()) {
    if (std::ranges::find(known, key) == known.end()) {
      return Status(StatusCode::kUnsupported,
                    fmt::format("{}: {}: found an unknown field, expected one of {}", source_,
                                PathOf(key), fmt::join(known, ", ")));
    }
  }
  return Status::Ok();
}

Status JsonFields::ExpectArray() const {
  return value_->is_array() ? Status::Ok() : Unexpected("an array");
}

const Json* JsonFields::Find(std::string_view key) const {
  if (!value_->is_object()) return nullptr;
  const auto found = value_->find(key);
  return found == value_->end() ? nullptr : &*found;
}

bool JsonFields::Has(std::string_view key) const {
  const Json* field = Find(key);
  return field != nullptr && !field->is_null();
}

Result<JsonFields> JsonFields::Field(std::string_view key) const {
  if (!value_->is_object()) return Unexpected("an object");
  const Json* field = Find(key);
  if (field == nullptr) return BadInput(source_, PathOf(key), "nothing", "this field");
  return JsonFields(*field, source_, PathOf(key));
}

JsonFields JsonFields::Element(size_t i) const {
  return JsonFields((*value_)[i], source_, fmt::format("{}[{}]", path_, i));
}

Result<std::string> JsonFields::String(std::string_view key) const {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields field, Field(key));
  if (!field.value().is_string()) return field.Unexpected("a string");
  return field.value().get<std::string>();
}

Result<bool> JsonFields::Bool(std::string_view key, bool otherwise) const {
  if (Find(key) == nullptr) return otherwise;
  RINGLET_ASSIGN_OR_RETURN(const JsonFields field, Field(key));
  if (!field.value().is_boolean()) return field.Unexpected("true or false");
  return field.value().get<bool>();
}

Result<int64_t> JsonFields::Integer(std::string_view key, int64_t high) const {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields field, Field(key));
  const Json& value = field.value();
  const bool fits =
      value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(high);
  if (!fits) return field.Unexpected(fmt::format("an integer from 0 to {}", high));
  return value.get<int64_t>();
}

Result<std::string> JsonFields::StringOrEmpty(std::string_view key) const {
  if (!Has(key)) return std::string();
  return String(key);
}

Status JsonFields::Unexpected(std::string_view expected) const {
  return BadInput(source_, path_.empty() ? "document" : path_, Found(*value_), expected);
}

Status JsonFields::Unsupported(std::string_view expected) const {
  return Status(StatusCode::kUnsupported, Unexpected(expected).message());
}

}  // namespace ringlet
