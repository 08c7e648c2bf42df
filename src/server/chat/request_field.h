// Reading a request's JSON: every error names the path to the value.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace ringlet::server {

// A view of one value of a request and its path, as in "messages[0].content". The request must
// outlive it.
class RequestField {
 public:
  // `source` names the request in errors; `path` is empty for the whole body.
  RequestField(const OrderedJson& value, std::string source, std::string path = "")
      : value_(&value), source_(std::move(source)), path_(std::move(path)) {}

  const OrderedJson& value() const { return *value_; }
  const std::string& path() const { return path_; }

  // An error unless this is an object; with `known`, unless its keys are all among them.
  Status ExpectObject() const;
  Status ExpectObject(std::initializer_list<std::string_view> known) const;
  Status ExpectArray() const;

  // A member that is neither absent nor null.
  std::optional<RequestField> Find(std::string_view key) const;
  // The same, which must be there.
  Result<RequestField> Get(std::string_view key) const;
  // Of an array.
  size_t size() const { return value_->size(); }
  RequestField Element(size_t i) const;

  Result<std::string> String() const;
  Result<bool> Bool() const;
  // Of members: "" and `otherwise` when absent.
  Result<std::string> StringOf(std::string_view key) const;
  Result<bool> BoolOf(std::string_view key, bool otherwise) const;

  // "source: path: found <this value>, expected ...".
  Status Unexpected(std::string_view expected) const;
  // That this object has a key that nobody knows.
  Status UnknownKey(std::string_view key) const;

 private:
  const OrderedJson* value_;
  std::string source_;
  std::string path_;
};

}  // namespace ringlet::server
