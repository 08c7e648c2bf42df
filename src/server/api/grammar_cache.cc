#include "server/api/grammar_cache.h"

#include <algorithm>
#include <utility>

namespace ringlet {

template <typename Compile>
Result<GrammarCache::Matcher> GrammarCache::Find(std::string key, Compile&& compile) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return found->matcher;
  }
  RINGLET_ASSIGN_OR_RETURN(std::shared_ptr<const Grammar> grammar, compile());
  auto matcher = std::make_shared<const GrammarMatcher>(std::move(grammar), vocabulary_);
  entries_.push_front({std::move(key), matcher});
  if (entries_.size() > kKept) entries_.pop_back();
  return Matcher(matcher);
}

Result<GrammarCache::Matcher> GrammarCache::Gbnf(std::string_view text, std::string_view source) {
  return Find("gbnf " + std::string(text), [&] { return Grammar::FromGbnf(text, source); });
}

Result<GrammarCache::Matcher> GrammarCache::Schema(const OrderedJson& schema,
                                                   std::string_view source) {
  return Find("schema " + schema.dump(-1, ' ', false, OrderedJson::error_handler_t::replace),
              [&] { return Grammar::FromJsonSchema(schema, source); });
}

GrammarCache::Matcher GrammarCache::AnyJsonObject() {
  return Find("object",
              []() -> Result<std::shared_ptr<const Grammar>> { return Grammar::AnyJsonObject(); })
      .value();
}

}  // namespace ringlet
