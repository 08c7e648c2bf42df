#include "io/grammar/schema_compiler.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/limits.h"
#include "io/grammar/pattern.h"
#include "io/grammar/schema_formats.h"
#include "io/grammar/schema_values.h"

namespace ringlet::grammar {
namespace {

constexpr uint64_t kMaxSchemaWork = 2'000'000;  // terms merged, and properties looked up in them

}  // namespace

Result<Automaton> CompileJsonSchema(const OrderedJson& schema, std::string_view source) {
  return SchemaCompiler(schema, source).Run();
}

Result<Automaton> SchemaCompiler::Run() {
  RINGLET_RETURN_IF_ERROR(document_.Index());
  const Fragment root = builder_.NewFragment();
  AddTerms(root.start, {{&document_.root()}}, root.end);
  while (!open_.empty()) {
    const auto [terms, rule] = std::move(open_.back());
    open_.pop_back();
    RINGLET_RETURN_IF_ERROR(CompileRule(terms, rule));
    if (builder_.full()) break;
    if (rules_.size() > kMaxRules) {
      return Status(StatusCode::kResource,
                    fmt::format("{}: found more than {} different values to describe, expected a "
                                "smaller schema",
                                document_.source(), kMaxRules));
    }
  }
  return builder_.Finish(root, document_.source());
}

Status SchemaCompiler::Charge(uint64_t work) {
  work_ += work;
  if (work_ <= kMaxSchemaWork) return Status::Ok();
  return Status(StatusCode::kResource,
                fmt::format("{}: found a schema that takes more than {} steps to merge, expected a "
                            "smaller one",
                            document_.source(), kMaxSchemaWork));
}

void SchemaCompiler::AddTerms(StateId from, const Conjunction& terms, StateId to) {
  Conjunction key;
  for (const SchemaTerm& term : terms) {
    if (!(term.schema->is_boolean() && term.schema->get<bool>())) key.push_back(term);
  }
  if (key.empty()) return json_.AnyValue(from, to);
  const Conjunction in_order = key;
  std::sort(key.begin(), key.end());
  const auto [known, is_new] = rules_.try_emplace(std::move(key));
  if (is_new) {
    known->second = builder_.NewFragment();
    builder_.NameRule(known->second, document_.Place(in_order[0].schema, ""));
    open_.emplace_back(in_order, known->second);
  }
  builder_.AddCall(from, known->second, to);
}

Status SchemaCompiler::CompileRule(const Conjunction& terms, Fragment rule) {
  RINGLET_ASSIGN_OR_RETURN(const SchemaFacets facets, MergeSchemas(document_, terms));
  RINGLET_RETURN_IF_ERROR(Charge(facets.own.size() + terms.size()));
  if (!facets.choices.empty()) return AddChoices(facets, rule);
  if (facets.values) return AddValues(facets, rule);
  return AddTypes(facets, rule);
}

// One branch of each choice, in every combination.
Status SchemaCompiler::AddChoices(const SchemaFacets& facets, Fragment rule) {
  size_t combinations = 1;
  for (const SchemaChoice& choice : facets.choices) {
    combinations *= choice.branches.size();
    if (combinations > kMaxAlternatives) {
      return Status(
          StatusCode::kResource,
          fmt::format("{}: {}: found more than {} combinations of branches, expected fewer",
                      document_.source(), document_.Place(choice.schema, choice.keyword),
                      kMaxAlternatives));
    }
    if (choice.exactly_one) RINGLET_RETURN_IF_ERROR(ProveExclusive(facets, choice));
  }
  RINGLET_RETURN_IF_ERROR(Charge(combinations * (facets.own.size() + facets.choices.size())));
  for (size_t i = 0; i < combinations; ++i) {
    Conjunction terms = facets.own;
    size_t rest = i;
    for (const SchemaChoice& choice : facets.choices) {
      const SchemaTerm branch{choice.branches[rest % choice.branches.size()]};
      rest /= choice.branches.size();
      if (std::ranges::find(terms, branch) == terms.end()) terms.push_back(branch);
    }
    AddTerms(rule.start, terms, rule.end);
  }
  return Status::Ok();
}

Status SchemaCompiler::ProveExclusive(const SchemaFacets& facets, const SchemaChoice& choice) {
  std::vector<SchemaFacets> branches;
  for (const OrderedJson* branch : choice.branches) {
    Conjunction terms = facets.own;
    terms.push_back({branch});
    RINGLET_RETURN_IF_ERROR(Charge(terms.size()));
    RINGLET_ASSIGN_OR_RETURN(SchemaFacets merged, MergeSchemas(document_, terms));
    branches.push_back(std::move(merged));
  }
  DisjointProver prover(document_);
  for (size_t i = 0; i < branches.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (prover.Disjoint(branches[i], branches[j])) continue;
      return document_.Unsupported(
          choice.schema, "oneOf",
          fmt::format(
              "found the branches {} and {}, which may hold at once, expected branches "
              "that exclude each other by type, by range or by a required property's values",
              j, i));
    }
  }
  return Status::Ok();
}

Status SchemaCompiler::AddValues(const SchemaFacets& facets, Fragment rule) {
  for (const OrderedJson* value : *facets.values) {
    RINGLET_ASSIGN_OR_RETURN(const bool meets, ValueMeets(document_, facets, *value));
    if (meets) json_.Value(rule.start, *value, rule.end);
  }
  return Status::Ok();
}

Status SchemaCompiler::AddTypes(const SchemaFacets& facets, Fragment rule) {
  const auto has = [&](uint8_t type) { return (facets.types & type) != 0; };
  if (has(kNullType)) json_.Null(rule.start, rule.end);
  if (has(kBooleanType)) json_.Boolean(rule.start, rule.end);
  if (has(kIntegerType)) AddNumber(facets, rule);
  if (has(kStringType)) RINGLET_RETURN_IF_ERROR(AddString(facets, rule));
  if (has(kArrayType)) AddArray(facets, rule);
  if (has(kObjectType)) RINGLET_RETURN_IF_ERROR(AddObject(facets, rule));
  return Status::Ok();
}

void SchemaCompiler::AddNumber(const SchemaFacets& facets, Fragment rule) {
  const bool integers = (facets.types & kFractionType) == 0;
  if (facets.low || facets.high) {
    AddNumberRange(builder_, rule.start, facets.low, facets.high, integers, rule.end);
  } else if (integers) {
    json_.Integer(rule.start, rule.end);
  } else {
    json_.Number(rule.start, rule.end);
  }
}

Status SchemaCompiler::AddString(const SchemaFacets& facets, Fragment rule) {
  const bool counted = facets.min_length > 0 || facets.max_length != AutomatonBuilder::kUnbounded;
  const size_t texts = facets.patterns.size() + facets.formats.size();
  if (texts == 0) {
    json_.String(rule.start, facets.min_length, facets.max_length, rule.end);
    return Status::Ok();
  }
  const bool is_pattern = !facets.patterns.empty();
  const OrderedJson* at = is_pattern ? facets.patterns[0] : facets.formats[0];
  const std::string_view keyword = is_pattern ? "pattern" : "format";
  if (texts > 1 || counted) {
    return document_.Unsupported(at, keyword,
                                 "found it with another pattern, format or length for the same "
                                 "string, expected one of them");
  }
  std::string pattern = at->at(std::string(keyword)).get<std::string>();
  if (!is_pattern) {
    const std::optional<std::string> known = FormatPattern(pattern);
    if (!known) {
      return document_.Unsupported(
          at, keyword, fmt::format("found the format {}, which is not enforced", Quote(pattern)));
    }
    pattern = *known;
  }
  const std::string where = fmt::format("{}: {}", document_.source(), document_.Place(at, keyword));
  RINGLET_ASSIGN_OR_RETURN(const Fragment text, CompilePattern(pattern, where, builder_, json_));
  builder_.AddText(rule.start, "\"", text.start);
  builder_.AddText(text.end, "\"", rule.end);
  return Status::Ok();
}

Status SchemaCompiler::CheckPropertyCounts(const SchemaFacets& facets, size_t names, bool open) {
  const bool few = facets.min_properties <= facets.required.size();
  const bool many =
      facets.max_properties == UINT64_MAX || (!open && names <= facets.max_properties);
  if (few && many) return Status::Ok();
  return document_.Unsupported(facets.properties_limit_at, few ? "maxProperties" : "minProperties",
                               "found a limit that required and additionalProperties do not imply, "
                               "which is not enforced");
}

// The members come in the order of `names`, then additional ones. `choose` stands before a member;
// from there the optional ones can be skipped.
Status SchemaCompiler::AddObject(const SchemaFacets& facets, Fragment rule) {
  const std::vector<std::string> names = PropertyNames(facets);
  const PropertyLookup lookup(facets);
  const Conjunction additional = AdditionalTerms(facets);
  const bool open = !IsImpossible(additional);
  RINGLET_RETURN_IF_ERROR(CheckPropertyCounts(facets, names.size(), open));
  RINGLET_RETURN_IF_ERROR(Charge((names.size() + 1) * (facets.objects.size() + 1)));
  const std::set<std::string> required(facets.required.begin(), facets.required.end());
  const StateId brace = builder_.NewState(), last = builder_.NewState();
  StateId choose = builder_.NewState();
  builder_.AddText(rule.start, "{", brace);
  json_.Gap(brace, choose);
  std::vector<StateId> closing;  // where the object may end since the last required member
  const auto member = [&](StateId from, const Conjunction& terms, StateId to) {
    const StateId value = builder_.NewState();
    json_.Colon(from, value);
    AddTerms(value, terms, to);
  };
  std::vector<StateId> empty = {choose};
  for (const std::string& name : names) {
    if (builder_.full()) break;
    const StateId key = builder_.NewState(), next_after = builder_.NewState();
    const StateId next_choose = builder_.NewState();
    json_.Value(choose, OrderedJson(name), key);
    member(key, lookup.Terms(name), next_after);
    if (required.contains(name)) {
      closing.clear();
      empty.clear();
    } else {
      builder_.AddEpsilon(choose, next_choose);
    }
    json_.Comma(next_after, next_choose);
    closing.push_back(next_after);
    choose = next_choose;
  }
  if (open) {
    const StateId key = builder_.NewState(), next_after = builder_.NewState();
    json_.KeyExcept(choose, names, key);
    member(key, additional, next_after);
    json_.Comma(next_after, choose);
    closing.push_back(next_after);
  }
  for (const StateId state : empty) builder_.AddText(state, "}", rule.end);
  for (const StateId state : closing) builder_.AddEpsilon(state, last);
  const StateId close = builder_.NewState();
  json_.Gap(last, close);
  builder_.AddText(close, "}", rule.end);
  return Status::Ok();
}

void SchemaCompiler::AddArray(const SchemaFacets& facets, Fragment rule) {
  const uint64_t min = facets.min_items, max = facets.max_items;
  const size_t prefix = std::max<size_t>(PrefixLength(facets), 1);
  const StateId bracket = builder_.NewState(), last = builder_.NewState();
  const StateId close = builder_.NewState();
  StateId at = builder_.NewState();
  builder_.AddText(rule.start, "[", bracket);
  json_.Gap(bracket, at);
  if (min == 0) builder_.AddText(at, "]", rule.end);
  uint64_t count = 0;
  for (; count < std::min<uint64_t>(prefix, max) && !builder_.full(); ++count) {
    StateId value = at;
    if (count > 0) {
      if (count >= min) builder_.AddEpsilon(at, last);
      value = builder_.NewState();
      json_.Comma(at, value);
    }
    at = builder_.NewState();
    AddTerms(value, ItemTerms(facets, count), at);
  }
  if (count > 0) {
    const Fragment more = builder_.NewFragment();
    const StateId value = builder_.NewState();
    json_.Comma(more.start, value);
    AddTerms(value, ItemTerms(facets, prefix), more.end);
    const uint64_t rest = max == AutomatonBuilder::kUnbounded ? max : max - count;
    if (max >= min) builder_.AddRepeat(at, more, min > count ? min - count : 0, rest, last);
  }
  json_.Gap(last, close);
  builder_.AddText(close, "]", rule.end);
}

}  // namespace ringlet::grammar
