// Decisions about single values and about pairs of schemas.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "io/grammar/schema_facets.h"

namespace ringlet::grammar {

// Whether a value of an enum or const meets what else is demanded of it. kUnsupported when that
// cannot be said.
Result<bool> ValueMeets(const SchemaDocument& document, const SchemaFacets& facets,
                        const OrderedJson& value);

// Proofs that no value meets two schemas at once. Each costs work; beyond a limit nothing is
// proven.
class DisjointProver {
 public:
  explicit DisjointProver(const SchemaDocument& document) : document_(document) {}

  // True only when it is certain.
  bool Disjoint(const SchemaFacets& a, const SchemaFacets& b, int depth = 0);

 private:
  bool ValuesApart(const SchemaFacets& a, const SchemaFacets& b);
  bool CannotHold(const SchemaFacets& facets, const OrderedJson& value);
  bool TypeApart(uint8_t type, const SchemaFacets& a, const SchemaFacets& b, int depth);
  bool ObjectsApart(const SchemaFacets& a, const SchemaFacets& b, int depth);

  const SchemaDocument& document_;
  uint64_t work_ = 0;
};

}  // namespace ringlet::grammar
