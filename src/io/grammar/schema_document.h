// A JSON Schema as it was given: places in it, and what $ref points to.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "base/status.h"

namespace ringlet::grammar {

class SchemaDocument {
 public:
  // Keeps a reference to `root`.
  SchemaDocument(const OrderedJson& root, std::string_view source) : root_(root), source_(source) {}

  // Once, first. Errors: kResource beyond the limits, kInvalidInput for strings that are not UTF-8.
  Status Index();

  const OrderedJson& root() const { return root_; }
  // "#/properties/a": the JSON pointer of a value of this document.
  std::string Pointer(const OrderedJson* value) const;

  // The schema that the reference names. Errors: see Grammar::FromJsonSchema; references that leave
  // the document are kUnsupported.
  Result<const OrderedJson*> Resolve(const std::string& reference, const OrderedJson* at) const;

  // "source: pointer/keyword: found X, expected Y". The value of `keyword` is found when nothing
  // else is said.
  Status Bad(const OrderedJson* schema, std::string_view keyword, std::string_view expected,
             std::string_view found = {}) const;
  Status Unsupported(const OrderedJson* schema, std::string_view keyword,
                     std::string_view why) const;
  std::string Place(const OrderedJson* schema, std::string_view keyword) const;
  const std::string& source() const { return source_; }

 private:
  struct Parent {
    const OrderedJson* value;
    std::string key;
  };

  const OrderedJson& root_;
  const std::string source_;
  std::unordered_map<const OrderedJson*, Parent> parents_;
};

}  // namespace ringlet::grammar
