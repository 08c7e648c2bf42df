#include "server/chat/tool_grammar.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "base/rng.h"
#include "io/grammar/matcher.h"
#include "server/chat/output_transcript.h"
#include "server/chat/xml_call_grammar.h"

namespace ringlet::server {
namespace {

OrderedJson Parse(std::string_view text) {
  const Result<OrderedJson> parsed = ParseOrderedJson(text, "test");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *parsed : OrderedJson();
}

ToolSettings Settings(ToolChoice::Mode mode = ToolChoice::Mode::kRequired) {
  ToolSettings settings;
  settings.tools = Parse(R"([
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object",
      "properties": {"n": {"type": "integer"}}, "required": ["n"]}}},
    {"type": "function", "function": {"name": "g"}}])");
  settings.choice.mode = mode;
  settings.choice.name = "f";
  return settings;
}

ToolGrammar Make(ToolSyntax syntax, const ToolSettings& settings) {
  const Result<ToolGrammar> grammar = MakeToolGrammar(syntax, settings, "request");
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  return grammar.ok() ? *grammar : ToolGrammar();
}

const std::string kF =
    R"({"type":"object","properties":{"name":{"const":"f"},)"
    R"("arguments":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}},)"
    R"("required":["name","arguments"],"additionalProperties":false})";
const std::string kG =
    R"({"type":"object","properties":{"name":{"const":"g"},"arguments":{"type":"object"}},)"
    R"("required":["name","arguments"],"additionalProperties":false})";

TEST(ToolGrammarTest, Hermes) {
  ToolGrammar grammar = Make(ToolSyntax::kHermes, Settings());
  EXPECT_EQ(grammar.prefix, "<tool_call>\n");
  EXPECT_EQ(grammar.suffix, "\n</tool_call>");
  EXPECT_EQ(grammar.separator, "\n");
  EXPECT_EQ(grammar.trigger, "<tool_call>");
  EXPECT_EQ(grammar.schema.dump(), "{\"anyOf\":[" + kF + "," + kG + "]}");
  EXPECT_TRUE(grammar.repeat);
  EXPECT_TRUE(grammar.gbnf.empty());

  grammar = Make(ToolSyntax::kHermes, Settings(ToolChoice::Mode::kNamed));
  EXPECT_EQ(grammar.schema.dump(), kF);
  EXPECT_FALSE(grammar.repeat);
  ToolSettings single = Settings();
  single.choice.parallel = false;
  EXPECT_FALSE(Make(ToolSyntax::kHermes, single).repeat);
}

TEST(ToolGrammarTest, MistralIsAList) {
  ToolSettings settings = Settings();
  ToolGrammar grammar = Make(ToolSyntax::kMistral, settings);
  EXPECT_EQ(grammar.prefix, "[TOOL_CALLS] ");
  EXPECT_EQ(grammar.schema.dump(),
            "{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":[" + kF + "," + kG + "]}}");
  EXPECT_FALSE(grammar.repeat);
  settings.choice.parallel = false;
  EXPECT_EQ(Make(ToolSyntax::kMistral, settings).schema["maxItems"], 1);
}

TEST(ToolGrammarTest, LlamaHasNoMarker) {
  const ToolGrammar grammar = Make(ToolSyntax::kLlama3, Settings());
  EXPECT_EQ(grammar.prefix + grammar.suffix + grammar.trigger, "");
  EXPECT_EQ(grammar.separator, "; ");
  EXPECT_TRUE(grammar.schema["anyOf"][0]["properties"].contains("parameters"));
}

TEST(ToolGrammarTest, ReferencesFollowTheirSchema) {
  ToolSettings settings = Settings();
  settings.tools[1]["function"]["parameters"] = Parse(R"({"$defs": {"p": {"type": "integer"}},
    "properties": {"a": {"$ref": "#/$defs/p"}, "self": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
      "$ref": {"type": "string"}, "far": {"$ref": "https://x/y"},
      "c": {"const": {"$ref": "#/no"}, "default": {"$ref": "#/no"}, "enum": [{"$ref": "#/no"}]}}})");
  const auto arguments = [](const OrderedJson& call) { return call["properties"]["arguments"]; };
  const auto check = [](const OrderedJson& schema, const std::string& root) {
    EXPECT_EQ(schema["properties"]["a"]["$ref"], "#" + root + "/$defs/p");
    EXPECT_EQ(schema["properties"]["self"]["anyOf"][0]["$ref"], "#" + root);
    EXPECT_EQ(schema["properties"]["far"]["$ref"], "https://x/y");
    EXPECT_EQ(schema["properties"]["c"]["const"]["$ref"], "#/no");
    EXPECT_EQ(schema["properties"]["c"]["default"]["$ref"], "#/no");
    EXPECT_EQ(schema["properties"]["c"]["enum"][0]["$ref"], "#/no");
    EXPECT_EQ(schema["type"], "object");
  };
  const OrderedJson hermes = Make(ToolSyntax::kHermes, settings).schema;
  check(arguments(hermes["anyOf"][1]), "/anyOf/1/properties/arguments");
  EXPECT_TRUE(hermes.contains(OrderedJson::json_pointer("/anyOf/1/properties/arguments/$defs/p")));
  const OrderedJson mistral = Make(ToolSyntax::kMistral, settings).schema;
  check(arguments(mistral["items"]["anyOf"][1]), "/items/anyOf/1/properties/arguments");
  settings.choice.mode = ToolChoice::Mode::kNamed;
  settings.choice.name = "g";
  check(arguments(Make(ToolSyntax::kHermes, settings).schema), "/properties/arguments");
}

TEST(ToolGrammarTest, CoderTags) {
  ToolSettings settings = Settings();
  settings.tools[1]["function"]["parameters"] = Parse(R"({"properties": {
    "s\"": {"type": "string"}, "e": {"enum": ["a", "b\n"]}, "k": {"type": "integer", "enum": [1, 2]},
    "b": {"type": "boolean"}, "o": {"type": "object"}, "x": {"anyOf": [{"type": "integer"}]},
    "z": {"type": "null"}}, "required": ["e"]})");
  const ToolGrammar grammar = Make(ToolSyntax::kQwenCoder, settings);
  EXPECT_EQ(grammar.trigger, "<tool_call>");
  EXPECT_TRUE(grammar.schema.is_null());
  const std::string want =
      R"(root ::= call ("\n" call)*
call ::= "<tool_call>\n" (function-0 | function-1) "</tool_call>"
function-0 ::= "<function=f>\n" ("<parameter=n>\n" integer "\n</parameter>\n") "</function>\n"
function-1 ::= "<function=g>\n" ("<parameter=s\">\n" text "\n</parameter>\n")? )"
      R"(("<parameter=e>\n" ("a" | "b\n") "\n</parameter>\n") )"
      R"(("<parameter=k>\n" ("1" | "2") "\n</parameter>\n")? )"
      R"(("<parameter=b>\n" boolean "\n</parameter>\n")? )"
      R"(("<parameter=o>\n" object "\n</parameter>\n")? )"
      R"(("<parameter=x>\n" json "\n</parameter>\n")? )"
      R"(("<parameter=z>\n" "null" "\n</parameter>\n")? "</function>\n"
text ::= )";
  EXPECT_TRUE(grammar.gbnf.starts_with(want)) << grammar.gbnf;
  settings.choice.parallel = false;
  EXPECT_TRUE(Make(ToolSyntax::kQwenCoder, settings).gbnf.starts_with("root ::= call\n"));
}

// The rules of text, as an expression, against what they mean.
TEST(ToolGrammarTest, CoderTextsAreThoseWithoutTheEnd) {
  const std::string gbnf = Make(ToolSyntax::kQwenCoder, Settings()).gbnf;
  const auto rule = [&](const std::string& name) {
    const size_t begin = gbnf.find("\n" + name + " ::= ") + name.size() + 6;
    std::string body = gbnf.substr(begin, gbnf.find('\n', begin) - begin);
    std::erase_if(body, [](char c) { return c == '"' || c == ' '; });
    return "(?:" + body + ")";
  };
  std::string text = rule("text");
  for (const std::string name : {"back", "on", "end"}) {
    text = std::regex_replace(text, std::regex(name), rule(name));
  }
  const std::regex expression(text);
  Rng rng(3);
  const std::string_view end = "</parameter>";
  int matched = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string value;
    for (uint64_t i = rng.Below(5); i > 0; --i) {
      if (rng.Below(4) == 0) {
        value += "x\n";
      } else {
        value += end.substr(0, 1 + rng.Below(end.size()));
      }
    }
    const bool clean = value.find(end) == std::string::npos;
    ASSERT_EQ(std::regex_match(value, expression), clean) << value;
    matched += clean ? 1 : 0;
  }
  EXPECT_GT(matched, 1000);
}

// What the compiled grammar of one syntax says to a text.
bool Allows(const ToolGrammar& grammar, std::string_view text) {
  const auto compiled = grammar.gbnf.empty() ? Grammar::FromJsonSchema(grammar.schema, "test")
                                             : Grammar::FromGbnf(grammar.gbnf, "test");
  EXPECT_TRUE(compiled.ok()) << compiled.status().message();
  if (!compiled.ok()) return false;
  GrammarMatcher matcher(*compiled, VocabularyTrie::Build(std::span<const std::string_view>()));
  return matcher.AcceptBytes(text) && matcher.CanEnd();
}

// What a grammar lets through is what the parser takes for a call, the whole of it.
TEST(ToolGrammarTest, TheParserReadsWhatTheGrammarAllows) {
  const std::string values = R"({"n": -12, "s": "a</para<<\n<b>\"\n", "o": {"a": [1, {}]}})";
  ToolSettings settings = Settings();
  settings.tools[0]["function"]["parameters"] =
      Parse(R"({"type": "object", "properties": {"n": {"type": "integer"},
        "s": {"type": "string"}, "o": {"type": "object"}}, "required": ["n"]})");
  const std::string call = R"({"name": "f", "arguments": )" + values + "}";
  const std::string empty = R"({"name": "g", "arguments": {}})";
  const std::string coder =
      "<tool_call>\n<function=f>\n<parameter=n>\n-12\n</parameter>\n<parameter=s>\n"
      "a</para<<\n<b>\"\n\n</parameter>\n<parameter=o>\n{\"a\": [1, {}]}\n</parameter>\n"
      "</function>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n</tool_call>";
  const auto read = [&](ToolSyntax syntax, std::string_view text) {
    OutputFormat format;
    format.parse_tools = true;
    format.tools = syntax;
    format.tool_list = settings.tools;
    OutputTranscript transcript;
    OutputParser parser(format, transcript.Sink());
    parser.Append(text);
    parser.Finish();
    return transcript.Text();
  };
  const std::string want = "B0(f)A0[" + values + "]E0";

  const ToolGrammar hermes = Make(ToolSyntax::kHermes, settings);
  EXPECT_TRUE(Allows(hermes, call));
  EXPECT_TRUE(Allows(hermes, empty));
  EXPECT_FALSE(Allows(hermes, R"({"name": "h", "arguments": {}})"));
  EXPECT_EQ(read(ToolSyntax::kHermes, hermes.prefix + call + hermes.suffix + hermes.separator +
                                          hermes.prefix + empty + hermes.suffix),
            want + "B1(g)A1[{}]E1");
  const ToolGrammar mistral = Make(ToolSyntax::kMistral, settings);
  EXPECT_TRUE(Allows(mistral, "[" + call + ", " + empty + "]"));
  EXPECT_FALSE(Allows(mistral, "[]"));
  EXPECT_EQ(
      read(ToolSyntax::kMistral, mistral.prefix + "[" + call + ", " + empty + "]" + mistral.suffix),
      want + "B1(g)A1[{}]E1");
  const ToolGrammar llama = Make(ToolSyntax::kLlama3, settings);
  const std::string bare = R"({"name": "f", "parameters": )" + values + "}";
  EXPECT_TRUE(Allows(llama, bare));
  EXPECT_EQ(read(ToolSyntax::kLlama3, bare + llama.separator + bare),
            want + "B1(f)A1[" + values + "]E1");
  const ToolGrammar tags = Make(ToolSyntax::kQwenCoder, settings);
  EXPECT_TRUE(Allows(tags, coder));
  EXPECT_FALSE(Allows(tags, "<tool_call>\n<function=f>\n</function>\n</tool_call>"));
  EXPECT_EQ(read(ToolSyntax::kQwenCoder, coder), want + "B1(g)A1[{}]E1");
}

// Rules must not nest with the length of a value.
TEST(ToolGrammarTest, CoderTextsMayBeLong) {
  ToolSettings settings = Settings();
  settings.tools[0]["function"]["parameters"]["properties"]["s"]["type"] = "string";
  EXPECT_TRUE(Allows(Make(ToolSyntax::kQwenCoder, settings),
                     "<tool_call>\n<function=f>\n<parameter=n>\n1\n</parameter>\n<parameter=s>\n" +
                         std::string(5000, '<') + std::string(5000, 'x') +
                         "\n</parameter>\n</function>\n</tool_call>"));
}

TEST(ToolGrammarTest, Errors) {
  const auto error = [](ToolSyntax syntax, const ToolSettings& settings) {
    const Result<ToolGrammar> grammar = MakeToolGrammar(syntax, settings, "request");
    EXPECT_FALSE(grammar.ok());
    return grammar.ok() ? "" : grammar.status().message();
  };
  EXPECT_EQ(error(ToolSyntax::kNone, Settings()),
            "request: tool_choice: found a choice of tools, but this model's chat template teaches "
            "no known syntax of calls");
  EXPECT_EQ(error(ToolSyntax::kHermes, ToolSettings()),
            "request: tools: found none that may be called, expected a tool");
  ToolSettings settings = Settings();
  settings.tools[0]["function"]["parameters"]["properties"] = Parse(R"({"a>b": {}})");
  EXPECT_EQ(error(ToolSyntax::kQwenCoder, settings),
            "request: tools: found the parameter \"a>b\" of f, which cannot stand in a tag");
}

}  // namespace
}  // namespace ringlet::server
