// Random walks that only the masks guide end in valid documents.
#include <set>

#include "io/grammar/grammar_test_util.h"
#include "io/grammar/schema_validator.h"

namespace ringlet {
namespace {

// Prefers what ends the document, ever more so, because a random walk through a recursive grammar
// need not end by itself.
int32_t Choose(const std::vector<int32_t>& allowed, const VocabularyTrie& vocabulary, int step,
               Rng& rng) {
  if (step > 60) {
    for (const char* wanted : {"\"", "}", "]"}) {
      const auto id = static_cast<int32_t>(static_cast<uint8_t>(*wanted));
      if (std::find(allowed.begin(), allowed.end(), id) != allowed.end() && rng.Below(4) > 0) {
        return id;
      }
    }
  }
  // A string may hold any of 256 bytes: letters keep most documents readable.
  for (int tries = 0; tries < 3; ++tries) {
    const int32_t id = allowed[rng.Below(allowed.size())];
    if (static_cast<uint8_t>(vocabulary.TokenBytes(id)[0]) < 0x80) return id;
  }
  return allowed[rng.Below(allowed.size())];
}

// The text of a walk, or nothing when it got too long.
std::string Walk(const GrammarMatcher& start, const VocabularyTrie& vocabulary, Rng& rng) {
  GrammarMatcher matcher = start;
  std::string text;
  std::vector<uint64_t> bits;
  for (int step = 0; step < 1500; ++step) {
    if (matcher.MustEnd() || (matcher.CanEnd() && rng.Below(3) == 0)) return text;
    matcher.FillAllowed(bits);
    const std::vector<int32_t> allowed = AllowedIds(bits);
    if (allowed.empty()) {
      ADD_FAILURE() << "nothing is allowed after " << text;
      return "";
    }
    const int32_t id = Choose(allowed, vocabulary, step, rng);
    EXPECT_TRUE(matcher.Accept(id)) << text;
    text += vocabulary.TokenBytes(id);
  }
  return "";
}

constexpr const char* kSchemas[] = {
    R"({"type":"object"})",
    R"(true)",
    R"({"type":"object","properties":{"name":{"type":"string"},"x":{"type":"integer"}},"required":["name"]})",
    R"({"type":"object","properties":{"name":{"type":"string"},"x":{"type":"integer"}},"required":["name","x"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"null"},"ab":{"type":"boolean"},"abc":{"const":1}},"additionalProperties":{"type":"integer"}})",
    R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"additionalProperties":false})",
    R"({"type":"object","required":["x","name"],"additionalProperties":{"enum":[1,"a",null]}})",
    R"({"type":"array","items":{"type":"integer","minimum":-5,"maximum":120}})",
    R"({"type":"array","items":{"type":"integer","exclusiveMinimum":99},"minItems":2,"maxItems":5})",
    R"({"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":false,"minItems":1})",
    R"({"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"},"maxItems":4})",
    R"({"type":"array","items":{"type":"number","minimum":0,"exclusiveMaximum":1},"minItems":1})",
    R"({"type":"array","items":{"type":"number","minimum":-2.5,"maximum":10.25}})",
    R"({"type":"string","minLength":3,"maxLength":5})",
    R"({"type":"string","maxLength":150,"minLength":130})",
    R"({"type":"string","pattern":"^[a-z]{2,4}(-[0-9]+)*$"})",
    R"({"type":"string","pattern":"12|^name"})",
    R"({"type":["string","null","array"],"maxItems":2,"maxLength":2})",
    R"({"minimum":3,"maxLength":1,"maxItems":1,"additionalProperties":false})",
    R"({"enum":["a","ab",1,12,null,{"b":[1,2]},[]]})",
    R"({"enum":["a","ab","abc",12],"type":"string","minLength":2})",
    R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":2},{"type":"array","items":{"type":"null"}}]})",
    R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"],"additionalProperties":false},{"type":"object","properties":{"kind":{"const":"b"},"name":{"type":"string"}},"required":["kind"],"additionalProperties":false}]})",
    R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"a":{"minimum":7},"b":{"type":"null"}},"additionalProperties":false}]})",
    R"({"allOf":[{"anyOf":[{"type":"integer"},{"type":"string"}]},{"anyOf":[{"type":["integer","null"]},{"type":"string","minLength":4}]}]})",
    R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/node"},"maxItems":2}},"required":["v"],"additionalProperties":false}}})",
    R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"},"maxItems":3}]})",
    R"({"type":"object","properties":{"a\"b\\":{"type":"integer"},"é":{"type":"null"}},"required":["a\"b\\","é"],"additionalProperties":{"type":"boolean"}})",
    R"({"type":"string","nullable":true,"maxLength":4})",
    R"({"type":"object","properties":{"a":{"anyOf":[{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]},{"type":"null"}]},"b":{"type":"array","items":{"$ref":"#/properties/a"},"maxItems":2}},"required":["b"]})",
    R"({"type":"integer","allOf":[{"minimum":10},{"maximum":12}]})",
    R"({"type":"object","properties":{"never":false,"x":{"const":0.5}},"required":["x"]})",
};

TEST(SchemaWalk, EndsInValidDocuments) {
  const auto vocabulary = ByteVocabulary(JsonTokens());
  for (const char* text : kSchemas) {
    const OrderedJson schema = ParseOrderedJson(text, "schema").value();
    const SchemaValidator validator(schema);
    const auto grammar = Schema(text);
    ASSERT_TRUE(grammar) << text;
    const GrammarMatcher start(grammar, vocabulary);
    Rng rng(7);
    std::set<std::string> seen;
    int ended = 0;
    for (int walk = 0; walk < 60; ++walk) {
      const std::string document = Walk(start, *vocabulary, rng);
      if (document.empty()) continue;
      ++ended;
      seen.insert(document);
      // Not ParseJson: it refuses keys that come twice, which additional ones may.
      const Json value = Json::parse(document, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text << "\n" << document;
      EXPECT_TRUE(validator.Valid(value)) << text << "\n" << document;
      EXPECT_TRUE(Matches(grammar, document)) << text << "\n" << document;
    }
    EXPECT_GT(ended, 30) << text;
    EXPECT_GT(seen.size(), 1u) << text;
  }
}

// The validator itself: it must be able to say no.
TEST(SchemaWalk, TheValidatorRefuses) {
  for (const auto& [schema, value] : std::vector<std::pair<const char*, const char*>>{
           {R"({"type":"integer"})", "1.5"},
           {R"({"required":["a"]})", "{}"},
           {R"({"properties":{"a":{"type":"null"}}})", R"({"a":1})"},
           {R"({"properties":{"a":true},"additionalProperties":false})", R"({"b":1})"},
           {R"({"oneOf":[true,true]})", "1"},
           {R"({"pattern":"^a"})", R"("b")"},
           {R"({"maxLength":1})", R"("éé")"},
           {R"({"prefixItems":[true],"items":false})", "[1,2]"},
           {R"({"exclusiveMinimum":1})", "1"},
           {R"({"$ref":"#/$defs/a","$defs":{"a":false}})", "1"}}) {
    const OrderedJson root = ParseOrderedJson(schema, "s").value();
    EXPECT_FALSE(SchemaValidator(root).Valid(Json::parse(value))) << schema;
  }
}

}  // namespace
}  // namespace ringlet
