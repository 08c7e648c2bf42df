#include "model/config_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace ringlet {

ConfigReader::ConfigReader(const Json& object, std::string source, std::string prefix)
    : object_(object), source_(std::move(source)), prefix_(std::move(prefix)) {
  if (!object_.is_object()) {
    Fail(BadInput(source_, prefix_, JsonTypeName(object_), "an object"));
  }
}

bool ConfigReader::Has(std::string_view key) const {
  if (!object_.is_object()) return false;
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

const Json* ConfigReader::Read(std::string_view key) {
  if (!ok()) return nullptr;
  read_.emplace(key);
  return Has(key) ? &*object_.find(key) : nullptr;
}

std::string ConfigReader::Field(std::string_view key) const {
  return fmt::format("{}{}", prefix_, key);
}

std::string ConfigReader::Found(std::string_view key) const {
  if (!object_.is_object()) return "nothing";
  const auto found = object_.find(key);
  return found == object_.end() ? "nothing" : JsonBrief(*found);
}

void ConfigReader::Fail(Status status) {
  if (ok()) status_ = std::move(status);
}

void ConfigReader::FailAt(std::string_view key, std::string_view expected) {
  Fail(BadInput(source_, Field(key), Found(key), expected));
}

void ConfigReader::Unsupported(std::string_view key, std::string_view why) {
  Fail(Status(StatusCode::kUnsupported, fmt::format("{}: {}: found {}, unsupported: {}", source_,
                                                    Field(key), Found(key), why)));
}

std::optional<int64_t> ConfigReader::OptionalInteger(std::string_view key, int64_t min,
                                                     int64_t max) {
  const Json* value = Read(key);
  if (value == nullptr) return std::nullopt;
  // An unsigned value above 2^63 - 1 would wrap to a negative one.
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  if (fits && value->get<int64_t>() >= min && value->get<int64_t>() <= max) {
    return value->get<int64_t>();
  }
  FailAt(key, fmt::format("an integer from {} to {}", min, max));
  return std::nullopt;
}

int64_t ConfigReader::Integer(std::string_view key, int64_t min, int64_t max) {
  if (const auto value = OptionalInteger(key, min, max)) return *value;
  FailAt(key, fmt::format("an integer from {} to {}", min, max));
  return min;
}

std::optional<double> ConfigReader::OptionalNumber(std::string_view key, double min, double max) {
  const Json* value = Read(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double number = value->get<double>();
    if (std::isfinite(number) && number >= min && number <= max) return number;
  }
  FailAt(key, fmt::format("a number from {} to {}", min, max));
  return std::nullopt;
}

double ConfigReader::Number(std::string_view key, double min, double max) {
  if (const auto value = OptionalNumber(key, min, max)) return *value;
  FailAt(key, fmt::format("a number from {} to {}", min, max));
  return min;
}

std::optional<std::string> ConfigReader::OptionalString(std::string_view key) {
  const Json* value = Read(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  FailAt(key, "a string");
  return std::nullopt;
}

std::string ConfigReader::String(std::string_view key) {
  if (auto value = OptionalString(key)) return *std::move(value);
  FailAt(key, "a string");
  return "";
}

bool ConfigReader::Flag(std::string_view key, bool absent) {
  const Json* value = Read(key);
  if (value == nullptr) return absent;
  if (value->is_boolean()) return value->get<bool>();
  FailAt(key, "true or false");
  return absent;
}

std::vector<int64_t> ConfigReader::OptionalIntegers(std::string_view key, int64_t max) {
  std::vector<int64_t> out;
  const Json* value = Read(key);
  if (value == nullptr) return out;
  const auto add = [&](const Json& item) {
    if (!item.is_number_integer()) return false;
    if (item.is_number_unsigned() && item.get<uint64_t>() > INT64_MAX) return false;
    const auto id = item.get<int64_t>();
    if (id >= 0) out.push_back(id);
    return id <= max;
  };
  bool good = true;
  if (value->is_array()) {
    for (const Json& item : *value) good = good && add(item);
  } else {
    good = add(*value);
  }
  if (!good) FailAt(key, fmt::format("an integer up to {}, or a list of them", max));
  return out;
}

Json ConfigReader::OptionalAny(std::string_view key) {
  const Json* value = Read(key);
  return value == nullptr ? Json() : *value;
}

const Json* ConfigReader::OptionalObject(std::string_view key) {
  const Json* value = Read(key);
  if (value == nullptr || value->is_object()) return value;
  FailAt(key, "an object or null");
  return nullptr;
}

void ConfigReader::MustBe(std::string_view key, const Json& only, std::string_view why) {
  const Json* value = Read(key);
  if (value == nullptr || *value == only) return;
  Unsupported(key, fmt::format("{} (only {} is implemented)", why, JsonBrief(only)));
}

void ConfigReader::Ignore(std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) read_.emplace(key);
}

void ConfigReader::Ignore(std::initializer_list<std::string_view> keys) {
  Ignore(std::span(keys.begin(), keys.size()));
}

void ConfigReader::Refuse(std::initializer_list<std::string_view> keys, std::string_view why) {
  for (const std::string_view key : keys) {
    if (Read(key) != nullptr) Unsupported(key, why);
  }
}

Status ConfigReader::Finish() {
  if (!ok()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (read_.contains(key)) continue;
    FailAt(
        key,
        "a key listed for this architecture in docs/models.md; if it cannot change what the model "
        "computes, please report it");
    break;
  }
  return status_;
}

}  // namespace ringlet
