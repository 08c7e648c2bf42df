#include "io/grammar/schema_document.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/limits.h"
#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

std::string EscapePointer(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

// One reference token: the percent escapes of a URI, then those of a pointer. False when malformed.
bool Unescape(std::string_view token, std::string& out) {
  std::string bytes;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '%') {
      bytes += token[i];
      continue;
    }
    const std::string_view hex = token.substr(i + 1, 2);
    const bool valid =
        hex.size() == 2 && std::all_of(hex.begin(), hex.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        });
    if (!valid) return false;
    bytes += static_cast<char>(std::stoi(std::string(hex), nullptr, 16));
    i += 2;
  }
  out.clear();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '~') {
      out += bytes[i];
    } else if (++i < bytes.size() && (bytes[i] == '0' || bytes[i] == '1')) {
      out += bytes[i] == '0' ? '~' : '/';
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Status SchemaDocument::Index() {
  struct Open {
    const OrderedJson* value;
    uint32_t depth;
  };
  const auto too_much = [&](std::string_view what, uint64_t limit) {
    return Status(StatusCode::kResource,
                  fmt::format("{}: found a schema of more than {} {}, expected a smaller one",
                              source_, limit, what));
  };
  std::vector<Open> open = {{&root_, 1}};
  size_t nodes = 0, bytes = 0;
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    if (++nodes > kMaxSchemaNodes) return too_much("values", kMaxSchemaNodes);
    if (depth > kMaxSchemaDepth) return too_much("levels", kMaxSchemaDepth);
    if (value->is_string()) {
      const std::string& text = value->get_ref<const std::string&>();
      bytes += text.size();
      if (ValidUtf8Prefix(text) != text.size()) {
        return BadInput(source_, Pointer(value), Quote(text), "UTF-8");
      }
    }
    if (!value->is_structured()) continue;
    for (const auto& [key, member] : value->items()) {
      bytes += key.size();
      if (value->is_object() && ValidUtf8Prefix(key) != key.size()) {
        return BadInput(source_, Pointer(value), Quote(key), "UTF-8");
      }
      parents_[&member] = {value, key};
      open.push_back({&member, depth + 1});
    }
    if (bytes > kMaxTextBytes) return too_much("bytes of text", kMaxTextBytes);
  }
  return Status::Ok();
}

std::string SchemaDocument::Pointer(const OrderedJson* value) const {
  std::vector<const std::string*> keys;
  for (auto at = parents_.find(value); at != parents_.end(); at = parents_.find(at->second.value)) {
    keys.push_back(&at->second.key);
  }
  std::string out = "#";
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) out += "/" + EscapePointer(**key);
  return out;
}

std::string SchemaDocument::Place(const OrderedJson* schema, std::string_view keyword) const {
  std::string place = Pointer(schema);
  if (!keyword.empty()) place += "/" + EscapePointer(keyword);
  if (place.size() <= 200) return place;
  return place.substr(0, ValidUtf8Prefix(std::string_view(place).substr(0, 200))) + "...";
}

Status SchemaDocument::Bad(const OrderedJson* schema, std::string_view keyword,
                           std::string_view expected, std::string_view found) const {
  std::string what(found);
  if (what.empty()) {
    const bool has = schema->is_object() && schema->contains(std::string(keyword));
    what = JsonBrief(has ? Json(schema->at(std::string(keyword))) : Json(*schema));
  }
  return BadInput(source_, Place(schema, keyword), what, expected);
}

Status SchemaDocument::Unsupported(const OrderedJson* schema, std::string_view keyword,
                                   std::string_view why) const {
  return Status(StatusCode::kUnsupported,
                fmt::format("{}: {}: {}", source_, Place(schema, keyword), why));
}

Result<const OrderedJson*> SchemaDocument::Resolve(const std::string& reference,
                                                   const OrderedJson* at) const {
  if (reference.empty() || reference[0] != '#' || (reference.size() > 1 && reference[1] != '/')) {
    return Unsupported(at, "$ref",
                       fmt::format("found {}, expected a reference inside this schema: \"#\" or "
                                   "\"#/...\"",
                                   Quote(reference)));
  }
  const OrderedJson* value = &root_;
  std::string key;
  for (std::string_view rest = std::string_view(reference).substr(1); !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view token = rest.substr(0, rest.find('/'));
    rest.remove_prefix(token.size());
    if (!Unescape(token, key)) return Bad(at, "$ref", "a well-formed JSON pointer");
    const OrderedJson* next = nullptr;
    if (value->is_object()) {
      const auto found = value->find(key);
      if (found != value->end()) next = &*found;
    } else if (value->is_array() && !key.empty() && key.size() < 7 &&
               key.find_first_not_of("0123456789") == std::string::npos) {
      const size_t index = std::stoul(key);
      if (index < value->size()) next = &(*value)[index];
    }
    if (next == nullptr) return Bad(at, "$ref", "the place of a schema");
    value = next;
    if (value->is_object()) {
      const auto id = value->find("$id");
      if (id != value->end() && id->is_string()) {
        return Unsupported(at, "$ref", "found a way through a schema with an $id of its own");
      }
    }
  }
  if (!value->is_object() && !value->is_boolean()) {
    return Bad(at, "$ref", "the place of a schema (an object or a boolean)");
  }
  return value;
}

}  // namespace ringlet::grammar
