#include "server/api/prompts.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ringlet {
namespace {

constexpr std::string_view kShapes = "a string, an array of token ids, or an array of either";

bool AreIntegers(const OrderedJson& array) {
  return std::ranges::all_of(array, [](const OrderedJson& e) { return e.is_number_integer(); });
}

std::vector<int32_t> ReadOne(Fields& fields, const ServedModel& model, std::string_view key,
                             const OrderedJson& prompt) {
  if (prompt.is_array() && AreIntegers(prompt)) return ReadTokenIds(fields, model, key, prompt);
  if (!prompt.is_string()) {
    fields.Fail(key, JsonTypeName(Json(prompt)), kShapes);
    return {};
  }
  auto ids = model.text.Encode(prompt.get_ref<const std::string&>(), SpecialTokens::kParse);
  if (!ids.ok()) {
    fields.Fail(key, ids.status());
    return {};
  }
  return std::move(ids).value();
}

}  // namespace

std::vector<int32_t> ReadTokenIds(Fields& fields, const ServedModel& model, std::string_view key,
                                  const OrderedJson& array) {
  std::vector<int32_t> ids;
  const int64_t vocab = model.batches->batcher().vocab();
  for (const OrderedJson& entry : array) {
    const bool fits =
        entry.is_number_integer() && entry.get<int64_t>() >= 0 && entry.get<int64_t>() < vocab;
    if (!fits) {
      fields.Fail(fmt::format("{}[{}]", key, ids.size()), JsonBrief(Json(entry)),
                  fmt::format("a token id from 0 to {}", vocab - 1));
      return {};
    }
    ids.push_back(entry.get<int32_t>());
  }
  return ids;
}

std::vector<std::vector<int32_t>> ReadPrompts(Fields& fields, const ServedModel& model,
                                              std::string_view key) {
  const OrderedJson* value = fields.Any(key);
  if (fields.failed()) return {};
  if (value == nullptr) {
    fields.Fail(key, "nothing", kShapes);
    return {};
  }
  std::vector<std::vector<int32_t>> prompts;
  if (!value->is_array() || AreIntegers(*value)) {
    prompts.push_back(ReadOne(fields, model, key, *value));
  } else if (value->size() > kMaxPrompts) {
    fields.Fail(key, fmt::format("{} prompts", value->size()),
                fmt::format("at most {}", kMaxPrompts));
  } else {
    for (size_t i = 0; i < value->size() && !fields.failed(); ++i) {
      prompts.push_back(ReadOne(fields, model, fmt::format("{}[{}]", key, i), (*value)[i]));
    }
  }
  for (size_t i = 0; i < prompts.size() && !fields.failed(); ++i) {
    if (prompts[i].empty()) fields.Fail(key, "no tokens", "at least one token to continue");
    if (std::ssize(prompts[i]) > model.context) {
      fields.Fail(key, fmt::format("{} tokens", prompts[i].size()),
                  fmt::format("at most {}, the longest context", model.context));
    }
  }
  if (fields.failed()) return {};
  return prompts;
}

}  // namespace ringlet
