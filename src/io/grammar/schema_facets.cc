#include "io/grammar/schema_facets.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/limits.h"

namespace ringlet::grammar {
namespace {

// Annotations: they demand nothing. $id is one at the root only, where it cannot change what the
// references mean that are followed here; $anchor, because only JSON pointers are followed.
constexpr std::string_view kIgnored[] = {
    "title", "description", "default",    "examples", "$comment",  "$schema", "$anchor",
    "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "nullable"};  // read with type

const OrderedJson* Find(const OrderedJson& object, std::string_view key) {
  const auto found = object.find(std::string(key));
  return found == object.end() ? nullptr : &*found;
}

uint8_t TypeOfName(std::string_view name) {
  constexpr std::pair<std::string_view, uint8_t> kNames[] = {
      {"null", kNullType},
      {"boolean", kBooleanType},
      {"object", kObjectType},
      {"array", kArrayType},
      {"string", kStringType},
      {"integer", kIntegerType},
      {"number", kIntegerType | kFractionType}};
  for (const auto& [known, type] : kNames) {
    if (known == name) return type;
  }
  return 0;
}

class Merger {
 public:
  explicit Merger(const SchemaDocument& document) : document_(document) {}

  Result<SchemaFacets> Run(const Conjunction& terms) {
    for (const SchemaTerm& term : terms) RINGLET_RETURN_IF_ERROR(Merge(term));
    return std::move(facets_);
  }

 private:
  using Reader = Status (Merger::*)(const OrderedJson& schema, const OrderedJson& value);
  struct Keyword {
    std::string_view name;
    Reader read;
    bool own;  // says something about the value itself
  };
  static const Keyword* FindKeyword(std::string_view name);

  Status Merge(const SchemaTerm& term) {
    const OrderedJson& schema = *term.schema;
    if (std::find(open_.begin(), open_.end(), term.schema) != open_.end()) {
      return document_.Unsupported(term.schema, "",
                                   "found a schema that demands itself of the same value, expected "
                                   "recursion through properties or items only");
    }
    if (!term.own_only && !whole_.insert(term.schema).second) return Status::Ok();
    const SchemaTerm own{term.schema, true};
    const bool seen = !own_.insert(term.schema).second;
    if (!seen) facets_.own.push_back(own);
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) facets_.types = 0;
      return Status::Ok();
    }
    if (!schema.is_object()) return document_.Bad(term.schema, "", "an object or a boolean");
    if (open_.size() >= kMaxRefChain) {
      return Status(
          StatusCode::kResource,
          fmt::format("{}: {}: found more than {} of $ref and allOf inside each other, "
                      "expected fewer",
                      document_.source(), document_.Place(term.schema, ""), kMaxRefChain));
    }
    open_.push_back(term.schema);
    for (const auto& [name, value] : schema.items()) {
      RINGLET_RETURN_IF_ERROR(Read(term, name, value, seen));
    }
    open_.pop_back();
    return Status::Ok();
  }

  Status Read(const SchemaTerm& term, const std::string& name, const OrderedJson& value,
              bool seen) {
    const bool at_root = term.schema == &document_.root();
    if (std::ranges::find(kIgnored, name) != std::end(kIgnored) || (at_root && name == "$id")) {
      return Status::Ok();
    }
    const Keyword* keyword = FindKeyword(name);
    if (keyword == nullptr) {
      return document_.Unsupported(
          term.schema, name,
          fmt::format("found the keyword {}, which is not enforced", Quote(name)));
    }
    if (keyword->own ? seen : term.own_only) return Status::Ok();
    return (this->*keyword->read)(*term.schema, value);
  }

  Status ReadRef(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_string()) return document_.Bad(&schema, "$ref", "a string");
    RINGLET_ASSIGN_OR_RETURN(const OrderedJson* target,
                             document_.Resolve(value.get<std::string>(), &schema));
    return Merge({target});
  }

  Status ReadAllOf(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_array() || value.empty()) return document_.Bad(&schema, "allOf", "schemas");
    for (const OrderedJson& part : value) RINGLET_RETURN_IF_ERROR(Merge({&part}));
    return Status::Ok();
  }

  Status AddChoice(const OrderedJson& schema, const OrderedJson& value, std::string keyword) {
    if (!value.is_array() || value.empty()) return document_.Bad(&schema, keyword, "schemas");
    // A schema that is reached twice demands its choice once.
    for (const SchemaChoice& known : facets_.choices) {
      if (known.schema == &schema && known.keyword == keyword) return Status::Ok();
    }
    SchemaChoice choice{&schema, keyword, keyword == "oneOf", {}};
    for (const OrderedJson& branch : value) choice.branches.push_back(&branch);
    facets_.choices.push_back(std::move(choice));
    return Status::Ok();
  }
  Status ReadAnyOf(const OrderedJson& schema, const OrderedJson& value) {
    return AddChoice(schema, value, "anyOf");
  }
  Status ReadOneOf(const OrderedJson& schema, const OrderedJson& value) {
    return AddChoice(schema, value, "oneOf");
  }

  Status ReadType(const OrderedJson& schema, const OrderedJson& value) {
    const OrderedJson list = value.is_array() ? value : OrderedJson::array({value});
    uint8_t types = 0;
    for (const OrderedJson& name : list) {
      const uint8_t type = name.is_string() ? TypeOfName(name.get_ref<const std::string&>()) : 0;
      if (type == 0) return document_.Bad(&schema, "type", "names of JSON types");
      types |= type;
    }
    if (types == 0) return document_.Bad(&schema, "type", "names of JSON types");
    if (const OrderedJson* nullable = Find(schema, "nullable")) {
      if (!nullable->is_boolean()) return document_.Bad(&schema, "nullable", "a boolean");
      if (nullable->get<bool>()) types |= kNullType;
    }
    facets_.types &= types;
    return Status::Ok();
  }

  Status Keep(const OrderedJson& schema, const std::vector<const OrderedJson*>& values) {
    facets_.values_at = &schema;
    if (!facets_.values) {
      facets_.values = values;
      return Status::Ok();
    }
    std::set<Json> others;
    for (const OrderedJson* value : values) others.insert(Json(*value));
    std::erase_if(*facets_.values, [&](const OrderedJson* kept) {
      const auto found = others.find(Json(*kept));
      return found == others.end() || !CertainlySame(*found, *kept);
    });
    return Status::Ok();
  }
  // Of the numbers that compare as equal some are not, once doubles are rounded.
  static bool CertainlySame(const Json& a, const OrderedJson& b) {
    if (!a.is_number() || a.is_number_float() == b.is_number_float()) return true;
    return std::abs(a.get<double>()) < 0x1p53;
  }

  Status ReadEnum(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_array()) return document_.Bad(&schema, "enum", "an array");
    std::vector<const OrderedJson*> values;
    for (const OrderedJson& one : value) values.push_back(&one);
    return Keep(schema, values);
  }
  Status ReadConst(const OrderedJson& schema, const OrderedJson& value) {
    return Keep(schema, {&value});
  }

  Status ReadProperties(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_object()) return document_.Bad(&schema, "properties", "an object");
    return AddObject(schema);
  }
  Status ReadAdditional(const OrderedJson& schema, const OrderedJson&) { return AddObject(schema); }
  Status AddObject(const OrderedJson& schema) {
    if (facets_.objects.empty() || facets_.objects.back() != &schema) {
      facets_.objects.push_back(&schema);
    }
    return Status::Ok();
  }

  Status ReadRequired(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_array()) return document_.Bad(&schema, "required", "an array of names");
    for (const OrderedJson& name : value) {
      if (!name.is_string()) return document_.Bad(&schema, "required", "an array of names");
      const std::string& text = name.get_ref<const std::string&>();
      if (required_.insert(text).second) facets_.required.push_back(text);
    }
    return Status::Ok();
  }

  Status ReadPrefixItems(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_array()) return document_.Bad(&schema, "prefixItems", "an array of schemas");
    return AddArray(schema);
  }
  Status ReadItems(const OrderedJson& schema, const OrderedJson& value) {
    if (value.is_array()) return document_.Bad(&schema, "items", "a schema (see prefixItems)");
    return AddArray(schema);
  }
  Status AddArray(const OrderedJson& schema) {
    if (facets_.arrays.empty() || facets_.arrays.back() != &schema) {
      facets_.arrays.push_back(&schema);
    }
    return Status::Ok();
  }

  Result<uint64_t> Count(const OrderedJson& schema, std::string_view keyword) {
    const OrderedJson& value = *Find(schema, keyword);
    const bool whole =
        value.is_number_unsigned() || (value.is_number() && value.get<double>() >= 0 &&
                                       value.get<double>() == std::floor(value.get<double>()));
    if (!whole) return document_.Bad(&schema, keyword, "an integer from 0 on");
    if (value.get<double>() > static_cast<double>(kMaxRepetition)) {
      return Status(
          StatusCode::kResource,
          fmt::format("{}: {}: found {}, expected at most {}", document_.source(),
                      document_.Place(&schema, keyword), JsonBrief(Json(value)), kMaxRepetition));
    }
    return static_cast<uint64_t>(value.get<double>());
  }
  Status AtLeast(const OrderedJson& schema, std::string_view keyword, uint64_t& limit) {
    RINGLET_ASSIGN_OR_RETURN(const uint64_t count, Count(schema, keyword));
    limit = std::max(limit, count);
    return Status::Ok();
  }
  Status AtMost(const OrderedJson& schema, std::string_view keyword, uint64_t& limit) {
    RINGLET_ASSIGN_OR_RETURN(const uint64_t count, Count(schema, keyword));
    limit = std::min(limit, count);
    return Status::Ok();
  }
  Status ReadMinItems(const OrderedJson& schema, const OrderedJson&) {
    return AtLeast(schema, "minItems", facets_.min_items);
  }
  Status ReadMaxItems(const OrderedJson& schema, const OrderedJson&) {
    return AtMost(schema, "maxItems", facets_.max_items);
  }
  Status ReadMinLength(const OrderedJson& schema, const OrderedJson&) {
    return AtLeast(schema, "minLength", facets_.min_length);
  }
  Status ReadMaxLength(const OrderedJson& schema, const OrderedJson&) {
    return AtMost(schema, "maxLength", facets_.max_length);
  }
  Status ReadMinProperties(const OrderedJson& schema, const OrderedJson&) {
    facets_.properties_limit_at = &schema;
    return AtLeast(schema, "minProperties", facets_.min_properties);
  }
  Status ReadMaxProperties(const OrderedJson& schema, const OrderedJson&) {
    facets_.properties_limit_at = &schema;
    return AtMost(schema, "maxProperties", facets_.max_properties);
  }

  Status ReadUniqueItems(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_boolean()) return document_.Bad(&schema, "uniqueItems", "a boolean");
    if (!value.get<bool>()) return Status::Ok();
    return document_.Unsupported(&schema, "uniqueItems",
                                 "found true, which is not enforced, expected false");
  }

  Status ReadPattern(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_string()) return document_.Bad(&schema, "pattern", "a string");
    return AddText(schema, value, "pattern", facets_.patterns);
  }
  Status ReadFormat(const OrderedJson& schema, const OrderedJson& value) {
    if (!value.is_string()) return document_.Bad(&schema, "format", "a string");
    return AddText(schema, value, "format", facets_.formats);
  }
  // Equal ones once.
  Status AddText(const OrderedJson& schema, const OrderedJson& value, std::string_view keyword,
                 std::vector<const OrderedJson*>& list) {
    const auto same = [&](const OrderedJson* known) { return *Find(*known, keyword) == value; };
    if (std::ranges::none_of(list, same)) list.push_back(&schema);
    return Status::Ok();
  }

  Status Bound(const OrderedJson& schema, std::string_view keyword, bool is_low, bool exclusive) {
    const OrderedJson& value = *Find(schema, keyword);
    if (!value.is_number()) return document_.Bad(&schema, keyword, "a number");
    const std::optional<Decimal> decimal = DecimalOf(value);
    if (!decimal) {
      return document_.Unsupported(&schema, keyword,
                                   "found a number that cannot be compared exactly, expected a "
                                   "64-bit integer or a fraction below 2^53");
    }
    std::optional<DecimalBound>& bound = is_low ? facets_.low : facets_.high;
    const int order = bound ? Compare(*decimal, bound->value) : 0;
    const bool stricter = is_low ? order > 0 : order < 0;
    if (!bound || stricter) {
      bound = DecimalBound{*decimal, exclusive};
    } else if (order == 0) {
      bound->exclusive |= exclusive;
    }
    return Status::Ok();
  }
  Status ReadMinimum(const OrderedJson& schema, const OrderedJson&) {
    return Bound(schema, "minimum", true, false);
  }
  Status ReadMaximum(const OrderedJson& schema, const OrderedJson&) {
    return Bound(schema, "maximum", false, false);
  }
  Status ReadExclusiveMinimum(const OrderedJson& schema, const OrderedJson&) {
    return Bound(schema, "exclusiveMinimum", true, true);
  }
  Status ReadExclusiveMaximum(const OrderedJson& schema, const OrderedJson&) {
    return Bound(schema, "exclusiveMaximum", false, true);
  }

  const SchemaDocument& document_;
  SchemaFacets facets_;
  std::vector<const OrderedJson*> open_;      // inside each other
  std::set<const OrderedJson*> whole_, own_;  // merged already
  std::set<std::string> required_;
};

const Merger::Keyword* Merger::FindKeyword(std::string_view name) {
  static constexpr Keyword kKeywords[] = {
      {"$ref", &Merger::ReadRef, false},
      {"allOf", &Merger::ReadAllOf, false},
      {"anyOf", &Merger::ReadAnyOf, false},
      {"oneOf", &Merger::ReadOneOf, false},
      {"type", &Merger::ReadType, true},
      {"enum", &Merger::ReadEnum, true},
      {"const", &Merger::ReadConst, true},
      {"properties", &Merger::ReadProperties, true},
      {"additionalProperties", &Merger::ReadAdditional, true},
      {"required", &Merger::ReadRequired, true},
      {"minProperties", &Merger::ReadMinProperties, true},
      {"maxProperties", &Merger::ReadMaxProperties, true},
      {"prefixItems", &Merger::ReadPrefixItems, true},
      {"items", &Merger::ReadItems, true},
      {"minItems", &Merger::ReadMinItems, true},
      {"maxItems", &Merger::ReadMaxItems, true},
      {"uniqueItems", &Merger::ReadUniqueItems, true},
      {"minLength", &Merger::ReadMinLength, true},
      {"maxLength", &Merger::ReadMaxLength, true},
      {"pattern", &Merger::ReadPattern, true},
      {"format", &Merger::ReadFormat, true},
      {"minimum", &Merger::ReadMinimum, true},
      {"maximum", &Merger::ReadMaximum, true},
      {"exclusiveMinimum", &Merger::ReadExclusiveMinimum, true},
      {"exclusiveMaximum", &Merger::ReadExclusiveMaximum, true},
  };
  const auto found = std::ranges::find(kKeywords, name, &Keyword::name);
  return found == std::end(kKeywords) ? nullptr : &*found;
}

void AddTerm(Conjunction& terms, const OrderedJson* schema) {
  const SchemaTerm term{schema};
  if (std::ranges::find(terms, term) == terms.end()) terms.push_back(term);
}

}  // namespace

Result<SchemaFacets> MergeSchemas(const SchemaDocument& document, const Conjunction& terms) {
  return Merger(document).Run(terms);
}

PropertyLookup::PropertyLookup(const SchemaFacets& facets) {
  for (const OrderedJson* schema : facets.objects) {
    Part& part = parts_.emplace_back();
    part.additional = Find(*schema, "additionalProperties");
    if (const OrderedJson* properties = Find(*schema, "properties")) {
      for (const auto& [name, property] : properties->items()) part.properties[name] = &property;
    }
  }
}

Conjunction PropertyLookup::Terms(std::string_view name) const {
  Conjunction terms;
  for (const Part& part : parts_) {
    const auto declared = part.properties.find(name);
    const OrderedJson* found =
        declared != part.properties.end() ? declared->second : part.additional;
    if (found != nullptr) AddTerm(terms, found);
  }
  return terms;
}

Conjunction PropertyTerms(const SchemaFacets& facets, const std::string& name) {
  Conjunction terms;
  for (const OrderedJson* schema : facets.objects) {
    const OrderedJson* properties = Find(*schema, "properties");
    const OrderedJson* found = properties != nullptr ? Find(*properties, name) : nullptr;
    if (found == nullptr) found = Find(*schema, "additionalProperties");
    if (found != nullptr) AddTerm(terms, found);
  }
  return terms;
}

Conjunction AdditionalTerms(const SchemaFacets& facets) {
  Conjunction terms;
  for (const OrderedJson* schema : facets.objects) {
    if (const OrderedJson* found = Find(*schema, "additionalProperties")) AddTerm(terms, found);
  }
  return terms;
}

Conjunction ItemTerms(const SchemaFacets& facets, size_t index) {
  Conjunction terms;
  for (const OrderedJson* schema : facets.arrays) {
    const OrderedJson* prefix = Find(*schema, "prefixItems");
    const OrderedJson* found = nullptr;
    if (prefix != nullptr && index < prefix->size()) {
      found = &(*prefix)[index];
    } else {
      found = Find(*schema, "items");
    }
    if (found != nullptr) AddTerm(terms, found);
  }
  return terms;
}

size_t PrefixLength(const SchemaFacets& facets) {
  size_t length = 0;
  for (const OrderedJson* schema : facets.arrays) {
    if (const OrderedJson* prefix = Find(*schema, "prefixItems")) {
      length = std::max(length, prefix->size());
    }
  }
  return length;
}

std::vector<std::string> PropertyNames(const SchemaFacets& facets) {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const OrderedJson* schema : facets.objects) {
    const OrderedJson* properties = Find(*schema, "properties");
    if (properties == nullptr) continue;
    for (const auto& [name, value] : properties->items()) {
      if (known.insert(name).second) names.push_back(name);
    }
  }
  for (const std::string& name : facets.required) {
    if (known.insert(name).second) names.push_back(name);
  }
  return names;
}

bool IsImpossible(const Conjunction& terms) {
  return std::ranges::any_of(terms, [](const SchemaTerm& term) {
    return term.schema->is_boolean() && !term.schema->get<bool>();
  });
}

}  // namespace ringlet::grammar
