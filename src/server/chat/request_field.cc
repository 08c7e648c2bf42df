#include "server/chat/request_field.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace ringlet::server {
namespace {

std::string Found(const OrderedJson& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return Quote(value.get_ref<const std::string&>());
  return value.dump();
}

// Keys that could not be mistaken for a path are shown as they are.
std::string Join(const std::string& path, std::string_view key) {
  const std::string quoted = Quote(key);
  const std::string_view shown = quoted.size() == key.size() + 2 ? key : std::string_view(quoted);
  return path.empty() ? std::string(shown) : fmt::format("{}.{}", path, shown);
}

}  // namespace

Status RequestField::ExpectObject() const {
  return value_->is_object() ? Status::Ok() : Unexpected("an object");
}

Status RequestField::ExpectObject(std::initializer_list<std::string_view> known) const {
  RINGLET_RETURN_IF_ERROR(ExpectObject());
  for (const auto& [key, unused] : value_->items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    return BadInput(source_, Join(path_, key), "an unknown field",
                    fmt::format("one of {}", fmt::join(known, ", ")));
  }
  return Status::Ok();
}

Status RequestField::ExpectArray() const {
  return value_->is_array() ? Status::Ok() : Unexpected("an array");
}

std::optional<RequestField> RequestField::Find(std::string_view key) const {
  if (!value_->is_object()) return std::nullopt;
  const auto found = value_->find(std::string(key));
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return RequestField(*found, source_, Join(path_, key));
}

Result<RequestField> RequestField::Get(std::string_view key) const {
  RINGLET_RETURN_IF_ERROR(ExpectObject());
  if (std::optional<RequestField> found = Find(key)) return *std::move(found);
  return BadInput(source_, Join(path_, key), "nothing", "a value");
}

RequestField RequestField::Element(size_t i) const {
  return RequestField((*value_)[i], source_, fmt::format("{}[{}]", path_, i));
}

Result<std::string> RequestField::String() const {
  if (!value_->is_string()) return Unexpected("a string");
  return value_->get<std::string>();
}

Result<bool> RequestField::Bool() const {
  if (!value_->is_boolean()) return Unexpected("true or false");
  return value_->get<bool>();
}

Result<std::string> RequestField::StringOf(std::string_view key) const {
  const std::optional<RequestField> found = Find(key);
  return found ? found->String() : std::string();
}

Result<bool> RequestField::BoolOf(std::string_view key, bool otherwise) const {
  const std::optional<RequestField> found = Find(key);
  return found ? found->Bool() : otherwise;
}

Status RequestField::Unexpected(std::string_view expected) const {
  return BadInput(source_, path_, Found(*value_), expected);
}

Status RequestField::UnknownKey(std::string_view key) const {
  return BadInput(source_, Join(path_, key), "an unknown field", "none, or one of the interface");
}

}  // namespace ringlet::server
