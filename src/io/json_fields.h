// Reading a JSON object field by field: every access names the field in its errors, and fields that
// nobody asked for are an error.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace ringlet {

// A view of one value of a document and the path to it. The document must outlive it.
class JsonFields {
 public:
  // `path` is empty for the document itself.
  JsonFields(const Json& value, std::string source, std::string path)
      : value_(&value), source_(std::move(source)), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  const std::string& source() const { return source_; }
  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view key) const;

  // An error unless this is an object whose keys are all among `known`.
  Status ExpectObject(std::initializer_list<std::string_view> known) const;
  Status ExpectArray() const;

  // False for absent keys and for null.
  bool Has(std::string_view key) const;
  // The field, which must be there.
  Result<JsonFields> Field(std::string_view key) const;
  // Element `i` of an array.
  JsonFields Element(size_t i) const;

  Result<std::string> String(std::string_view key) const;
  Result<bool> Bool(std::string_view key, bool otherwise) const;
  // An integer in [0, high].
  Result<int64_t> Integer(std::string_view key, int64_t high) const;
  // "" when absent or null.
  Result<std::string> StringOrEmpty(std::string_view key) const;

  // "source: path: found <this value>, expected ...".
  Status Unexpected(std::string_view expected) const;
  // kUnsupported, in the same words.
  Status Unsupported(std::string_view expected) const;

 private:
  const Json* Find(std::string_view key) const;

  const Json* value_;
  std::string source_;
  std::string path_;
};

}  // namespace ringlet
