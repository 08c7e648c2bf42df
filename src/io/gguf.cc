#include "io/gguf.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace ringlet {
namespace {

std::string_view KindName(const GgufValue& value) {
  constexpr std::string_view kNames[] = {"an integer",
                                         "a number",
                                         "a boolean",
                                         "a string",
                                         "an array of integers",
                                         "an array of numbers",
                                         "an array of booleans",
                                         "an array of strings"};
  static_assert(std::size(kNames) == std::variant_size_v<decltype(GgufValue::value)>);
  return kNames[value.value.index()];
}

Status WrongKind(const GgufFile& file, std::string_view key, std::string_view expected) {
  const GgufValue* value = file.FindValue(key);
  const std::string field = fmt::format("metadata {}", Quote(key));
  const Status status =
      BadInput(file.path(), field, value == nullptr ? "nothing" : KindName(*value), expected);
  return value == nullptr ? Status(StatusCode::kNotFound, status.message()) : status;
}

template <typename T>
Result<T> Get(const GgufFile& file, std::string_view key, std::string_view expected) {
  const GgufValue* value = file.FindValue(key);
  if (value != nullptr) {
    if (const T* held = std::get_if<T>(&value->value)) return *held;
  }
  return WrongKind(file, key, expected);
}

}  // namespace

Result<std::shared_ptr<const GgufFile>> GgufFile::Open(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return Parse(file->bytes(), path, file);
}

std::vector<std::string> GgufFile::Names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

const StoredTensor* GgufFile::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const GgufValue* GgufFile::FindValue(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

Result<int64_t> GgufFile::Integer(std::string_view key) const {
  return Get<int64_t>(*this, key, "an integer");
}

Result<double> GgufFile::Double(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr) {
    if (const auto* integer = std::get_if<int64_t>(&value->value)) {
      return static_cast<double>(*integer);
    }
  }
  return Get<double>(*this, key, "a number");
}

Result<bool> GgufFile::Bool(std::string_view key) const {
  return Get<bool>(*this, key, "a boolean");
}

Result<std::string> GgufFile::String(std::string_view key) const {
  return Get<std::string>(*this, key, "a string");
}

Result<GgufValue::Strings> GgufFile::StringArray(std::string_view key) const {
  return Get<GgufValue::Strings>(*this, key, "an array of strings");
}

Result<GgufValue::Integers> GgufFile::IntegerArray(std::string_view key) const {
  return Get<GgufValue::Integers>(*this, key, "an array of integers");
}

Result<GgufValue::Doubles> GgufFile::DoubleArray(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr) {
    if (const auto* integers = std::get_if<GgufValue::Integers>(&value->value)) {
      return GgufValue::Doubles(integers->begin(), integers->end());
    }
  }
  return Get<GgufValue::Doubles>(*this, key, "an array of numbers");
}

}  // namespace ringlet
