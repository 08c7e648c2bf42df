#include "server/load/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/json.h"

namespace ringlet {
namespace {

// Common enough to be one token or two in most vocabularies.
constexpr std::string_view kWords[] = {
    "the",   "of",    "and",   "in",     "water",  "people", "small", "number", "world", "time",
    "after", "light", "house", "never",  "story",  "under",  "green", "music",  "table", "river",
    "night", "early", "paper", "system", "garden", "winter", "white", "school", "money", "letter",
    "plant", "color", "north", "summer", "family", "simple", "stone", "market", "ocean", "machine",
    "field", "young", "power", "friend", "animal", "street", "voice", "island", "heart", "science"};

int64_t Draw(Rng& rng, const TokenRange& range) {
  return range.min +
         static_cast<int64_t>(rng.Below(static_cast<uint64_t>(range.max - range.min) + 1));
}

}  // namespace

double ArrivalTimes::Next() {
  if (kind_ == LoadTestOptions::Arrivals::kConstant) return static_cast<double>(count_++) / rate_;
  return last_ += -std::log(1.0 - rng_.Uniform()) / rate_;
}

std::vector<PromptWord> PromptWords() {
  std::vector<PromptWord> words;
  for (const std::string_view word : kWords) words.push_back({" " + std::string(word), {}});
  return words;
}

RequestMaker::RequestMaker(LoadTestOptions options, std::vector<PromptWord> words)
    : options_(std::move(options)), words_(std::move(words)) {
  RINGLET_CHECK(!words_.empty(), "prompts need words");
  for (const PromptWord& word : words_) RINGLET_CHECK(!word.ids.empty(), "a word without tokens");
  Rng rng(NameSeed("shared prefix") ^ options_.seed);
  AddWords(rng, options_.shared_prefix, prefix_);
}

std::string RequestMaker::Path() const {
  return options_.endpoint == LoadTestOptions::Endpoint::kChat ? "/v1/chat/completions"
                                                               : "/v1/completions";
}

void RequestMaker::AddWords(Rng& rng, int64_t tokens, Text& text) const {
  while (std::ssize(text.ids) < tokens) {
    const PromptWord& word = words_[rng.Below(words_.size())];
    text.words += word.text;
    text.ids.insert(text.ids.end(), word.ids.begin(), word.ids.end());
  }
  text.ids.resize(static_cast<size_t>(tokens));
}

std::string RequestMaker::Body(uint64_t index) const {
  // Mixed, so that neighbouring seeds share no requests.
  Rng rng(Rng(options_.seed).Next() + index);
  const int64_t prompt_tokens = Draw(rng, options_.prompt_tokens);
  const int64_t answer_tokens = Draw(rng, options_.answer_tokens);
  Text text = prefix_;
  AddWords(rng, prompt_tokens, text);
  OrderedJson body = {{"model", options_.model}};
  if (options_.endpoint == LoadTestOptions::Endpoint::kChat) {
    body["messages"] =
        OrderedJson::array({OrderedJson{{"role", "user"}, {"content", text.words.substr(1)}}});
  } else {
    body["prompt"] = std::move(text.ids);
  }
  body["max_tokens"] = answer_tokens;
  body["seed"] = static_cast<int64_t>(rng.Next() >> 11);
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  if (options_.ignore_end) body["ignore_eos"] = true;
  return body.dump();
}

}  // namespace ringlet
