// JSON Schema to an automaton.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "io/grammar/automaton.h"
#include "io/grammar/json_text.h"
#include "io/grammar/schema_document.h"
#include "io/grammar/schema_facets.h"

namespace ringlet::grammar {

// Errors: see Grammar::FromJsonSchema.
Result<Automaton> CompileJsonSchema(const OrderedJson& schema, std::string_view source);

// Each conjunction of schemas that some value is held to becomes a rule.
class SchemaCompiler {
 public:
  SchemaCompiler(const OrderedJson& schema, std::string_view source)
      : document_(schema, source), json_(builder_) {}

  Result<Automaton> Run();

 private:
  // A path of one value that meets the terms; the rule is compiled later, so that the recursion of
  // schemas is not one here.
  void AddTerms(StateId from, const Conjunction& terms, StateId to);
  Status CompileRule(const Conjunction& terms, Fragment rule);
  Status AddChoices(const SchemaFacets& facets, Fragment rule);
  Status ProveExclusive(const SchemaFacets& facets, const SchemaChoice& choice);
  Status AddValues(const SchemaFacets& facets, Fragment rule);
  Status AddTypes(const SchemaFacets& facets, Fragment rule);
  void AddNumber(const SchemaFacets& facets, Fragment rule);
  Status AddString(const SchemaFacets& facets, Fragment rule);
  Status AddObject(const SchemaFacets& facets, Fragment rule);
  Status CheckPropertyCounts(const SchemaFacets& facets, size_t names, bool open);
  void AddArray(const SchemaFacets& facets, Fragment rule);
  Status Charge(uint64_t work);

  SchemaDocument document_;
  AutomatonBuilder builder_;
  JsonText json_;
  std::map<Conjunction, Fragment> rules_;  // by their sorted terms
  std::vector<std::pair<Conjunction, Fragment>> open_;
  uint64_t work_ = 0;
};

}  // namespace ringlet::grammar
