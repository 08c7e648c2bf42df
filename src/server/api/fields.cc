#include "server/api/fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace ringlet {

Fields::Fields(const OrderedJson& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object.is_object()) Fail("", JsonTypeName(Json(object)), "an object");
}

std::string Fields::PathOf(std::string_view key) const {
  if (path_.empty() || key.empty()) return path_ + std::string(key);
  return fmt::format("{}.{}", path_, key);
}

const OrderedJson* Fields::Any(std::string_view key) {
  read_.emplace(key);
  if (failed()) return nullptr;
  const auto found = object_.find(std::string(key));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<bool> Fields::Bool(std::string_view key) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, JsonBrief(Json(*value)), "true or false");
  return std::nullopt;
}

std::optional<int64_t> Fields::Integer(std::string_view key, int64_t min, int64_t max) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  // Clients of dynamic languages also send 5.0.
  const double number = value->is_number() ? value->get<double>() : NAN;
  const bool whole = value->is_number_integer() ||
                     (std::floor(number) == number && std::abs(number) <= 9007199254740992.0);
  const bool in_range =
      whole && number >= static_cast<double>(min) && number <= static_cast<double>(max) &&
      (!value->is_number_unsigned() ||
       value->get<uint64_t>() <= static_cast<uint64_t>(std::max<int64_t>(max, 0)));
  if (in_range) return value->is_number_integer() ? value->get<int64_t>() : std::llround(number);
  Fail(key, JsonBrief(Json(*value)), fmt::format("an integer from {} to {}", min, max));
  return std::nullopt;
}

std::optional<double> Fields::Number(std::string_view key, double min, double max) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (number >= min && number <= max) return number;
  Fail(key, JsonBrief(Json(*value)), fmt::format("a number from {} to {}", min, max));
  return std::nullopt;
}

std::optional<std::string> Fields::String(std::string_view key) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  Fail(key, JsonTypeName(Json(*value)), "a string");
  return std::nullopt;
}

std::optional<std::vector<std::string>> Fields::Strings(std::string_view key, size_t max) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::vector<std::string>{value->get<std::string>()};
  const bool strings = value->is_array() && value->size() <= max &&
                       std::ranges::all_of(*value, [](const OrderedJson& item) {
                         return item.is_string() && !item.get_ref<const std::string&>().empty();
                       });
  if (strings) return value->get<std::vector<std::string>>();
  Fail(key, JsonBrief(Json(*value)),
       fmt::format("a string, or an array of at most {} strings that are not empty", max));
  return std::nullopt;
}

std::optional<std::string> Fields::OneOf(std::string_view key,
                                         std::initializer_list<std::string_view> values) {
  const OrderedJson* value = Any(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    if (std::ranges::find(values, std::string_view(text)) != values.end()) return text;
  }
  Fail(key, JsonBrief(Json(*value)), fmt::format("one of {}", fmt::join(values, ", ")));
  return std::nullopt;
}

const OrderedJson* Fields::Object(std::string_view key) {
  const OrderedJson* value = Any(key);
  if (value == nullptr || value->is_object()) return value;
  Fail(key, JsonTypeName(Json(*value)), "an object");
  return nullptr;
}

const OrderedJson* Fields::Array(std::string_view key) {
  const OrderedJson* value = Any(key);
  if (value == nullptr || value->is_array()) return value;
  Fail(key, JsonTypeName(Json(*value)), "an array");
  return nullptr;
}

void Fields::Ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) read_.emplace(key);
}

void Fields::Fail(std::string_view key, std::string_view found, std::string_view expected) {
  const std::string path = PathOf(key);
  Fail(key, BadInput(path.empty() ? "body" : path, "", found, expected));
}

void Fields::Fail(std::string_view key, const Status& status) {
  if (failed()) return;
  param_ = PathOf(key);
  status_ = status;
}

Status Fields::Finish() {
  if (failed()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (read_.contains(key)) continue;
    Fail(key, "an unknown parameter", "one that this endpoint has");
    break;
  }
  return status_;
}

}  // namespace ringlet
