// What a conjunction of schemas demands of one value, keyword by keyword.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "io/grammar/automaton.h"
#include "io/grammar/decimal.h"
#include "io/grammar/schema_document.h"

namespace ringlet::grammar {

enum JsonTypeBit : uint8_t {
  kNullType = 1,
  kBooleanType = 2,
  kObjectType = 4,
  kArrayType = 8,
  kStringType = 16,
  kIntegerType = 32,
  kFractionType = 64,  // numbers that need not be integers; never without kIntegerType
  kAllTypes = 127,
};

// A schema of the document, or of it only the keywords that say something about the value itself:
// without $ref, allOf, anyOf and oneOf, which were looked at already.
struct SchemaTerm {
  const OrderedJson* schema;
  bool own_only = false;
  auto operator<=>(const SchemaTerm&) const = default;
};
using Conjunction = std::vector<SchemaTerm>;  // each term once; the order is that of properties

// anyOf, or oneOf when `exactly_one`.
struct SchemaChoice {
  const OrderedJson* schema;
  std::string keyword;
  bool exactly_one;
  std::vector<const OrderedJson*> branches;
};

struct SchemaFacets {
  uint8_t types = kAllTypes;
  std::optional<std::vector<const OrderedJson*>> values;  // enum and const
  const OrderedJson* values_at = nullptr;

  std::vector<const OrderedJson*> objects;  // schemas with properties or additionalProperties
  std::vector<std::string> required;        // in order, each once
  uint64_t min_properties = 0, max_properties = UINT64_MAX;
  const OrderedJson* properties_limit_at = nullptr;

  std::vector<const OrderedJson*> arrays;  // schemas with prefixItems or items
  uint64_t min_items = 0, max_items = AutomatonBuilder::kUnbounded;

  uint64_t min_length = 0, max_length = AutomatonBuilder::kUnbounded;
  std::vector<const OrderedJson*> patterns;  // schemas with pattern
  std::vector<const OrderedJson*> formats;   // schemas with format

  std::optional<DecimalBound> low, high;

  std::vector<SchemaChoice> choices;
  Conjunction own;  // everything that was merged, but for the choices
};

// Errors: see Grammar::FromJsonSchema. Every keyword of every merged schema is known or refused.
Result<SchemaFacets> MergeSchemas(const SchemaDocument& document, const Conjunction& terms);

// What a conjunction demands of each property. An ordered object finds a key in linear time, so who
// asks for many names asks here.
class PropertyLookup {
 public:
  // Keeps pointers into the schemas.
  explicit PropertyLookup(const SchemaFacets& facets);
  Conjunction Terms(std::string_view name) const;

 private:
  struct Part {
    std::unordered_map<std::string_view, const OrderedJson*> properties;
    const OrderedJson* additional;  // or null
  };
  std::vector<Part> parts_;
};

// The same for one name, and for an array's element at `index`.
Conjunction PropertyTerms(const SchemaFacets& facets, const std::string& name);
Conjunction AdditionalTerms(const SchemaFacets& facets);
Conjunction ItemTerms(const SchemaFacets& facets, size_t index);
size_t PrefixLength(const SchemaFacets& facets);
// The declared properties, in order, then the required ones that nobody declared.
std::vector<std::string> PropertyNames(const SchemaFacets& facets);
// Whether one of the terms is the schema false.
bool IsImpossible(const Conjunction& terms);

}  // namespace ringlet::grammar
