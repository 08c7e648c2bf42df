#include "io/grammar/schema_values.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

constexpr uint64_t kMaxProofWork = 200'000;  // values and properties compared
constexpr int kMaxProofDepth = 4;

uint8_t TypeOf(const OrderedJson& value) {
  switch (value.type()) {
    case OrderedJson::value_t::null:
      return kNullType;
    case OrderedJson::value_t::boolean:
      return kBooleanType;
    case OrderedJson::value_t::object:
      return kObjectType;
    case OrderedJson::value_t::array:
      return kArrayType;
    case OrderedJson::value_t::string:
      return kStringType;
    case OrderedJson::value_t::number_float: {
      const double number = value.get<double>();
      return number == std::floor(number) ? kIntegerType : kFractionType;
    }
    default:
      return kIntegerType;
  }
}

uint64_t CountCharacters(std::string_view text) {
  return static_cast<uint64_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

bool InRange(const SchemaFacets& facets, const Decimal& value) {
  if (facets.low) {
    const int order = Compare(value, facets.low->value);
    if (order < 0 || (order == 0 && facets.low->exclusive)) return false;
  }
  if (!facets.high) return true;
  const int order = Compare(value, facets.high->value);
  return order < 0 || (order == 0 && !facets.high->exclusive);
}

bool Above(const std::optional<DecimalBound>& low, const std::optional<DecimalBound>& high) {
  if (!low || !high) return false;
  const int order = Compare(low->value, high->value);
  return order > 0 || (order == 0 && (low->exclusive || high->exclusive));
}

bool Requires(const SchemaFacets& facets, const std::string& name) {
  return std::ranges::find(facets.required, name) != facets.required.end();
}

}  // namespace

Result<bool> ValueMeets(const SchemaDocument& document, const SchemaFacets& facets,
                        const OrderedJson& value) {
  const uint8_t type = TypeOf(value);
  if ((facets.types & type) == 0) return false;
  const auto unsure = [&](const OrderedJson* at) {
    return document.Unsupported(at, "",
                                "found an enum or const whose values are constrained by further "
                                "keywords, expected values alone");
  };
  if (type == kStringType) {
    if (!facets.patterns.empty()) return unsure(facets.patterns[0]);
    if (!facets.formats.empty()) return unsure(facets.formats[0]);
    const uint64_t length = CountCharacters(value.get_ref<const std::string&>());
    return facets.min_length <= length && length <= facets.max_length;
  }
  if ((type & (kIntegerType | kFractionType)) != 0 && (facets.low || facets.high)) {
    const std::optional<Decimal> number = DecimalOf(value);
    if (!number) return unsure(facets.values_at);
    return InRange(facets, *number);
  }
  if (type == kArrayType) {
    if (!facets.arrays.empty()) return unsure(facets.arrays[0]);
    return facets.min_items <= value.size() && value.size() <= facets.max_items;
  }
  if (type == kObjectType) {
    if (!facets.objects.empty()) return unsure(facets.objects[0]);
    const bool complete = std::ranges::all_of(
        facets.required, [&](const std::string& name) { return value.contains(name); });
    return complete && facets.min_properties <= value.size() &&
           value.size() <= facets.max_properties;
  }
  return true;
}

bool DisjointProver::CannotHold(const SchemaFacets& facets, const OrderedJson& value) {
  const uint8_t type = TypeOf(value);
  if ((facets.types & type) == 0) return true;
  if (type == kStringType) {
    const uint64_t length = CountCharacters(value.get_ref<const std::string&>());
    return length < facets.min_length || length > facets.max_length;
  }
  return false;
}

bool DisjointProver::ValuesApart(const SchemaFacets& a, const SchemaFacets& b) {
  return std::ranges::all_of(*a.values, [&](const OrderedJson* one) {
    if (CannotHold(b, *one)) return true;
    if (!b.values) return false;
    work_ += b.values->size();
    return work_ <= kMaxProofWork && std::ranges::none_of(*b.values, [&](const OrderedJson* other) {
             return Json(*one) == Json(*other);
           });
  });
}

bool DisjointProver::Disjoint(const SchemaFacets& a, const SchemaFacets& b, int depth) {
  if (++work_ > kMaxProofWork) return false;
  if (a.values) return ValuesApart(a, b);
  if (b.values) return ValuesApart(b, a);
  for (int bit = 0; bit < 7; ++bit) {
    const auto type = static_cast<uint8_t>(1 << bit);
    if ((a.types & b.types & type) != 0 && !TypeApart(type, a, b, depth)) return false;
  }
  return true;
}

bool DisjointProver::TypeApart(uint8_t type, const SchemaFacets& a, const SchemaFacets& b,
                               int depth) {
  switch (type) {
    case kIntegerType:
    case kFractionType:
      return Above(a.low, b.high) || Above(b.low, a.high);
    case kStringType:
      return a.min_length > b.max_length || b.min_length > a.max_length;
    case kArrayType:
      return a.min_items > b.max_items || b.min_items > a.max_items;
    case kObjectType:
      return ObjectsApart(a, b, depth);
    default:
      return false;
  }
}

// A property that one of them demands and the other forbids, or that both demand with values that
// are apart.
bool DisjointProver::ObjectsApart(const SchemaFacets& a, const SchemaFacets& b, int depth) {
  if (depth >= kMaxProofDepth) return false;
  const auto forbids = [](const SchemaFacets& facets, const std::string& name) {
    return IsImpossible(PropertyTerms(facets, name));
  };
  for (const std::string& name : a.required) {
    work_ += 1 + a.objects.size() + b.objects.size();
    if (work_ > kMaxProofWork) return false;
    if (forbids(b, name)) return true;
    if (!Requires(b, name)) continue;
    const auto in_a = MergeSchemas(document_, PropertyTerms(a, name));
    const auto in_b = MergeSchemas(document_, PropertyTerms(b, name));
    if (in_a.ok() && in_b.ok() && Disjoint(*in_a, *in_b, depth + 1)) return true;
  }
  return std::ranges::any_of(b.required, [&](const std::string& name) { return forbids(a, name); });
}

}  // namespace ringlet::grammar
