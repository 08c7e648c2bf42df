// mask_speed TOKENIZER.json: times the masks along fixed texts, token by token, first with empty
// caches and then once more with what the first pass left.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "io/grammar/matcher.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Case {
  const char* name;
  const char* schema;  // "" for any object
  std::string text;
};

double Microseconds(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

void Run(const Case& test, const ringlet::Tokenizer& tokenizer,
         const std::shared_ptr<const ringlet::VocabularyTrie>& trie) {
  const auto compile = Clock::now();
  auto grammar = ringlet::Grammar::AnyJsonObject();
  if (*test.schema != '\0') {
    grammar = ringlet::Grammar::FromJsonSchema(
                  ringlet::ParseOrderedJson(test.schema, test.name).value(), test.name)
                  .value();
  }
  std::printf("%-12s compile %6.0f us, %5zu states\n", test.name, Microseconds(compile),
              grammar->automaton().size());
  const ringlet::GrammarMatcher start(grammar, trie);
  const auto ids = tokenizer.Encode(test.text, ringlet::SpecialTokens::kText).value();
  std::vector<uint64_t> bits;
  for (const char* pass : {"first", "again"}) {
    ringlet::GrammarMatcher matcher = start;
    std::vector<double> masks, steps;
    for (const int32_t id : ids) {
      auto now = Clock::now();
      matcher.FillAllowed(bits);
      masks.push_back(Microseconds(now));
      now = Clock::now();
      if (!matcher.Accept(id)) {
        std::printf("  refused %s\n", std::string(tokenizer.TokenBytes(id)).c_str());
        return;
      }
      steps.push_back(Microseconds(now));
    }
    double sum = 0;
    for (const double us : masks) sum += us;
    std::sort(masks.begin(), masks.end());
    std::sort(steps.begin(), steps.end());
    std::printf(
        "  %s: %zu masks, us: median %.1f, mean %.1f, p90 %.1f, largest %.1f; accept %.2f\n", pass,
        masks.size(), masks[masks.size() / 2], sum / double(masks.size()),
        masks[masks.size() * 9 / 10], masks.back(), steps[steps.size() / 2]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto tokenizer = ringlet::Tokenizer::FromJsonFile(argv[1]);
  if (!tokenizer.ok()) {
    std::printf("%s\n", tokenizer.status().message().c_str());
    return 1;
  }
  const auto begin = Clock::now();
  const auto trie = ringlet::VocabularyTrie::Build(**tokenizer);
  std::printf("%d ids, %u nodes, built in %.0f us\n", trie->vocab_size(),
              trie->short_tokens().size() + trie->long_tokens().size(), Microseconds(begin));
  std::string prose;
  for (int i = 0; i < 20; ++i) prose += "The quick brown fox, number " + std::to_string(i) + ". ";
  const std::string person =
      R"({"name": "Ada Lovelace", "age": 36, "tags": ["math", "engines"], "text": ")" + prose +
      R"("})";
  std::string pretty =
      "{\n  \"a\": [\n    1,\n    2.5,\n    {\n      \"b\": null\n    }\n  ],\n  \"t\": \"" +
      prose + "\"\n}";
  const Case cases[] = {
      {"any object", "", pretty},
      {"person",
       R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0},
       "tags":{"type":"array","items":{"type":"string"}},"text":{"type":"string"}},
       "required":["name","age","tags","text"],"additionalProperties":false})",
       person},
      {"counted",
       R"({"type":"object","properties":{"text":{"type":"string","minLength":10,"maxLength":4000}},
       "required":["text"],"additionalProperties":false})",
       R"({"text": ")" + prose + R"("})"},
      {"open keys",
       R"({"type":"object","properties":{"name":{"type":"string"},"number":{"type":"number"}}})",
       R"({"name": "a", "number": 1.5, "numbers": [1, 2, 3], "more": {"x": ")" + prose + R"("}})"}};
  for (const Case& test : cases) Run(test, **tokenizer, trie);
  return 0;
}
