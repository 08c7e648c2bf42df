#include "server/chat/output_parser.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "server/chat/output_transcript.h"

namespace ringlet::server {
namespace {

OutputFormat Format(ToolSyntax tools, bool thinking_open = false) {
  OutputFormat format;
  format.thinking_open = thinking_open;
  format.parse_tools = tools != ToolSyntax::kNone;
  format.tools = tools;
  format.tool_list = *ParseOrderedJson(R"([
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
      "n": {"type": "integer"}, "s": {"type": "string"}, "l": {"type": "array"},
      "b": {"type": "boolean"}, "m": {"type": ["string", "null"]}, "e": {"enum": ["1", "2"]},
      "a": {"anyOf": [{"type": "integer"}]}}}}},
    {"type": "function", "function": {"name": "g"}}])",
                                       "test");
  return format;
}

std::string Parse(const OutputFormat& format, std::span<const std::string_view> pieces) {
  OutputTranscript transcript;
  OutputParser parser(format, transcript.Sink());
  for (const std::string_view piece : pieces) parser.Append(piece);
  parser.Finish();
  parser.Append("<think>later</think>");
  parser.Finish();
  return transcript.Text() + (parser.incomplete() ? "!" : "");
}

// What a whole text gives is `want`, and the same at every cut in two, at cuts in three, and byte
// by byte.
void Expect(const OutputFormat& format, std::string_view text, std::string_view want) {
  ASSERT_EQ(Parse(format, std::vector{text}), want) << text;
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  ASSERT_EQ(Parse(format, bytes), want) << text;
  Rng rng(text.size());
  for (size_t i = 0; i <= text.size(); ++i) {
    ASSERT_EQ(Parse(format, std::vector{text.substr(0, i), text.substr(i)}), want)
        << text << " cut at " << i;
    const size_t j = i + rng.Below(text.size() - i + 1);
    ASSERT_EQ(Parse(format, std::vector{text.substr(0, i), text.substr(i, j - i), text.substr(j)}),
              want)
        << text << " cut at " << i << " and " << j;
  }
}

TEST(OutputParserTest, Reasoning) {
  const OutputFormat plain = Format(ToolSyntax::kNone);
  Expect(plain, "", "");
  Expect(plain, "Hello", "C[Hello]");
  Expect(plain, " \n Hello \n", "C[ \n Hello \n]");
  Expect(plain, "  \n", "C[  \n]");
  Expect(plain, "<think>\nwhy\n not\n</think>\n\nHi\n", "R[why\n not]C[Hi\n]");
  Expect(plain, "\n <think>a</think>b", "R[a]C[b]");
  Expect(plain, "<think>\n\n</think>\n\nHi", "C[Hi]");
  Expect(plain, "<think>cut off \n", "R[cut off \n]");
  Expect(plain, "<think>a</thin", "R[a</thin]");
  Expect(plain, "<think>a</think>", "R[a]");
  Expect(plain, "<think>a</think> \n", "R[a]");
  Expect(plain, "<thin", "C[<thin]");
  Expect(plain, "<thinking>a", "C[<thinking>a]");
  Expect(plain, " <<think>a</think>", "C[ <<think>a</think>]");
}

TEST(OutputParserTest, OnlyTheFirstTagsCount) {
  const OutputFormat plain = Format(ToolSyntax::kNone);
  Expect(plain, "I say <think>x</think>", "C[I say <think>x</think>]");
  Expect(plain, "</think>x", "C[</think>x]");
  Expect(plain, "<think>a<think>b</think>c</think>d<think>e", "R[a<think>b]C[c</think>d<think>e]");
  Expect(plain, "<think><think>a</think>", "R[<think>a]");
  Expect(plain, "<think>a<</think>b", "R[a<]C[b]");
}

TEST(OutputParserTest, ThinkingThatThePromptOpened) {
  const OutputFormat open = Format(ToolSyntax::kHermes, /*thinking_open=*/true);
  Expect(open, "\nwhy\n</think>\n\nHi", "R[why]C[Hi]");
  Expect(open, "</think>Hi", "C[Hi]");
  Expect(open, "never closed", "R[never closed]");
  Expect(open, "\n<think>\nwhy</think>Hi", "R[why]C[Hi]");
  Expect(open, "<think><think>why</think>Hi", "R[<think>why]C[Hi]");
  Expect(open, "a <think> b</think>Hi", "R[a <think> b]C[Hi]");
  Expect(open, "a <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call></think>Hi",
         "R[a <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>]C[Hi]");
  Expect(open, "a</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n",
         "R[a]B0(f)A0[{}]E0");
  EXPECT_TRUE(PromptOpensThinking("<role>ASSISTANT</role><think>\n"));
  EXPECT_FALSE(PromptOpensThinking("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(PromptOpensThinking(" \n"));
}

TEST(OutputParserTest, HermesCalls) {
  const OutputFormat hermes = Format(ToolSyntax::kHermes);
  Expect(
      hermes,
      "<think>\nLook.\n</think>\n\nOne moment.\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
      "{\"n\": 1, \"o\": {\"x\": [1, {}]}}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", "
      "\"arguments\": {}}\n</tool_call>\nDone.",
      "R[Look.]C[One moment.]B0(f)A0[{\"n\": 1, \"o\": {\"x\": [1, {}]}}]E0B1(g)A1[{}]E1C[Done.]");
  // The order of the members, other members, another name for arguments.
  Expect(
      hermes,
      R"(<tool_call>{"id":"x","parameters" : {"s":"}\"{"} , "name":"f","k":[1,{"name":2}]}</tool_call>)",
      R"(B0(f)A0[{"s":"}\"{"}]E0)");
  // No arguments, in every way.
  Expect(hermes, R"(<tool_call>{"name": "f"}</tool_call>)", "B0(f)A0[{}]E0");
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": null}</tool_call>)", "B0(f)A0[{}]E0");
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": ""}</tool_call>)", "B0(f)A0[{}]E0");
  // Arguments inside a string.
  Expect(hermes, R"(<tool_call>{"arguments": "{\"n\": [1]}", "name": "f"}</tool_call>)",
         R"(B0(f)A0[{"n": [1]}]E0)");
  // Line breaks in strings are escaped; escapes stay.
  Expect(hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a\nb\\n\tc\"}}</tool_call>",
         R"(B0(f)A0[{"s": "a\nb\n\tc"}]E0)");
  // Names are decoded, and need not be known.
  Expect(hermes, R"(<tool_call>{"name": "\u0066\n", "arguments": {}}</tool_call>)",
         "B0(f\n)A0[{}]E0");
}

TEST(OutputParserTest, HermesCallsThatNearlyKeepToTheSyntax) {
  const OutputFormat hermes = Format(ToolSyntax::kHermes);
  const std::string call = R"({"name": "f", "arguments": {"n": 1}})";
  const std::string want = R"(B0(f)A0[{"n": 1}]E0)";
  Expect(hermes, "<tool_call>\n" + call, want);
  Expect(hermes, "<tool_call>\n" + call + " \n ", want);
  Expect(hermes, "<tool_call>\n" + call + "\n</tool_", want + "C[</tool_]");
  Expect(hermes, "<tool_call>\n" + call + "\nSo.</tool_call>", want + "C[So.</tool_call>]");
  Expect(hermes, "<tool_call>\n" + call + "\n" + call + "\n</tool_call>",
         want + R"(B1(f)A1[{"n": 1}]E1)");
  Expect(hermes, "<tool_call>" + call + "<tool_call>" + call, want + R"(B1(f)A1[{"n": 1}]E1)");
  Expect(hermes, "<tool_call>\n<tool_call>\n" + call + "</tool_call>", "C[<tool_call>]" + want);
  // The last brace is missing.
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": {"n": 1}</tool_call>ok)", want + "C[ok]");
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": {"n": 1}, "k" </tool_call>)",
         want + R"(C[, "k" </tool_call>])");
  Expect(hermes, R"(<tool_call>{"arguments": {"n": 1}, "name": "f", "k" </tool_call>)",
         want + R"(C[, "k" </tool_call>])");
  // One brace too many; JSON after the end is no call.
  Expect(hermes, "<tool_call>" + call + "}</tool_call>", want + "C[}</tool_call>]");
  Expect(hermes, "<tool_call>" + call + "</tool_call>" + call, want + "C[" + call + "]");
}

TEST(OutputParserTest, WhatIsNoCallIsContent) {
  const OutputFormat hermes = Format(ToolSyntax::kHermes);
  for (const std::string_view text : {
           "a \n<tool_call>\nnothing</tool_call> b ",
           "<tool_call>",
           "<tool_call> ",
           "<tool_call></tool_call>",
           "<tool_call>{}</tool_call>",
           "<tool_call>[]</tool_call>",
           R"(<tool_call>{"name": ""}</tool_call>)",
           R"(<tool_call>{"name": 1, "arguments": {}}</tool_call>)",
           R"(<tool_call>{"name": "f", "arguments": [1]}</tool_call>)",
           R"(<tool_call>{"name": "f", "arguments": "[1]"}</tool_call>)",
           R"(<tool_call>{"name": "f", "arguments": "{"})",
           R"(<tool_call>{"name": "f", "arguments": 1}</tool_call>)",
           R"(<tool_call>{"name": "f", "argum)",
           R"(<tool_call>{"name": "f",})",
           R"(<tool_call>{"name": "f", "name": "g"}</tool_call>)",
           R"(<tool_call>{"arguments": {}, "arguments": {}, "name": "f"}</tool_call>)",
           R"(<tool_call>{"arguments": {"n": 1}})",
           R"(<tool_call>{"name": "\ud800", "arguments": {}}</tool_call>)",
           R"(<tool_call>{'name': 'f', 'arguments': {}}</tool_call>)",
           R"(</tool_call>)",
           "<tool_call x",
       }) {
    Expect(hermes, text, "C[" + std::string(text) + "]");
  }
  const std::string deep = "<tool_call>{\"arguments\": " + std::string(100, '[');
  Expect(hermes, deep, "C[" + deep + "]");
  // Tools that were not asked for are not looked for.
  OutputFormat off = hermes;
  off.parse_tools = false;
  const std::string call = R"(<tool_call>{"name": "f"}</tool_call>)";
  Expect(off, call, "C[" + call + "]");
}

TEST(OutputParserTest, ArgumentsThatBreakOff) {
  const OutputFormat hermes = Format(ToolSyntax::kHermes);
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": {"n": 1, "s)",
         R"(B0(f)A0[{"n": 1, "s]E0!)");
  Expect(hermes, R"(a<tool_call>{"name": "f", "arguments": {"n": 1 oops}}</tool_call> b)",
         R"(C[a]B0(f)A0[{"n": 1 ]E0C[oops}}</tool_call> b]!)");
  Expect(hermes, R"(<tool_call>{"name": "f", "arguments": {{"n": 1}}}</tool_call>)",
         R"(B0(f)A0[{]E0C[{"n": 1}}}</tool_call>]!)");
}

// What follows arguments that broke off is not taken for the next call.
TEST(OutputParserTest, NoCallFollowsOneThatBrokeOff) {
  Expect(Format(ToolSyntax::kHermes), R"(<tool_call>{"name": "f", "arguments": {{"name": "g"})",
         R"(B0(f)A0[{]E0C[{"name": "g"}]!)");
}

TEST(OutputParserTest, MistralCalls) {
  const OutputFormat mistral = Format(ToolSyntax::kMistral);
  Expect(
      mistral,
      R"(Sure.[TOOL_CALLS] [{"name": "f", "arguments": {"n": 1}, "id": "123456789"}, {"name": "g", "arguments": {}}])",
      R"(C[Sure.]B0(f)A0[{"n": 1}]E0B1(g)A1[{}]E1)");
  Expect(mistral, R"([TOOL_CALLS][{"name":"f","arguments":{}}] and [1])",
         "B0(f)A0[{}]E0C[and [1]]");
  Expect(mistral, R"([TOOL_CALLS] [{"name": "f", "arguments": {}}, oops])",
         "B0(f)A0[{}]E0C[, oops]]");
  Expect(mistral, "[TOOL_CALLS] []", "C[[TOOL_CALLS] []]");
  Expect(mistral, R"([TOOL_CALLS] {"name": "f"})", R"(C[[TOOL_CALLS] {"name": "f"}])");
  Expect(mistral, "See [1] and [TOOL_", "C[See [1] and [TOOL_]");
}

TEST(OutputParserTest, LlamaCalls) {
  const OutputFormat llama = Format(ToolSyntax::kLlama3);
  Expect(llama, R"({"name": "f", "parameters": {"n": "1"}})", R"(B0(f)A0[{"n": "1"}]E0)");
  Expect(llama,
         R"( {"type": "function", "name": "f", "parameters": {}}; {"name": "g", "parameters": {}})",
         "B0(f)A0[{}]E0B1(g)A1[{}]E1");
  Expect(llama, R"(<|python_tag|>{"name": "f", "parameters": {}} Done)", "B0(f)A0[{}]E0C[Done]");
  // Answers in JSON are answers.
  for (const std::string_view text : {
           R"({"name": "f"})",
           R"({"name": "unknown", "parameters": {}})",
           R"({"name": "f", "age": 3})",
           R"({"answer": 42})",
           R"( {"name": "f", "parameters": "{}"} )",
           R"(So: {"name": "f", "parameters": {}})",
           R"([{"name": "f", "parameters": {}}])",
           R"(<|python_tag|>f.call(x="1"))",
           "{",
       }) {
    Expect(llama, text, "C[" + std::string(text) + "]");
  }
  Expect(llama, R"({"name": "f", "parameters": {}}; so)", "B0(f)A0[{}]E0C[; so]");
}

TEST(OutputParserTest, QwenCoderCalls) {
  const OutputFormat coder = Format(ToolSyntax::kQwenCoder);
  Expect(coder,
         "I look.\n\n<tool_call>\n<function=f>\n<parameter=s>\n<b>\"\\ \n\n</parameter>\n"
         "<parameter=n>\n3\n</parameter>\n<parameter=l>[1, {\"x\": 2}]</parameter>\n</function>\n"
         "</tool_call>\nDone",
         R"(C[I look.]B0(f)A0[{"s": "<b>\"\\ \n", "n": 3, "l": [1, {"x": 2}]}]E0C[Done])");
  Expect(coder, "<function=f></function>", "B0(f)A0[{}]E0");
  Expect(coder, "<tool_call><function=f></function><function=g></function></tool_call>",
         "B0(f)A0[{}]E0B1(g)A1[{}]E1");
  // Types: JSON where the schema wants other than a string and the text is JSON.
  Expect(coder, "<function=f><parameter=b>True</parameter><parameter=m>null</parameter></function>",
         R"(B0(f)A0[{"b": true, "m": "null"}]E0)");
  Expect(coder, "<function=f><parameter=n>many\n</parameter><parameter=e>1</parameter></function>",
         R"(B0(f)A0[{"n": "many", "e": "1"}]E0)");
  Expect(coder, "<function=f><parameter=a>7</parameter><parameter=z>7</parameter></function>",
         R"(B0(f)A0[{"a": 7, "z": "7"}]E0)");
  Expect(coder, "<function=h><parameter=s>\n</parameter><parameter=t></parameter></function>",
         R"(B0(h)A0[{"s": "", "t": ""}]E0)");
  Expect(coder, "<function=f><parameter=s>\n\n\n</parameter></function>",
         R"(B0(f)A0[{"s": "\n"}]E0)");
}

TEST(OutputParserTest, QwenCoderCallsThatBreak) {
  const OutputFormat coder = Format(ToolSyntax::kQwenCoder);
  for (const std::string_view text :
       {"<tool_call>\n{\"name\": \"f\"}</tool_call>", "<function=", "<function=>", "<function=a<b>",
        "x <function=f\n>", "<tool_call>\n<funct"}) {
    Expect(coder, text, "C[" + std::string(text) + "]");
  }
  Expect(coder, "<function=f>\noops</function>", "B0(f)A0[{}]E0C[oops</function>]");
  Expect(coder, "<function=f><parameter=s>1</parameter><parameter=s>2</parameter></function>",
         R"(B0(f)A0[{"s": "1"}]E0C[<parameter=s>2</parameter></function>])");
  Expect(coder, "<function=f><parameter=s>\nabc</para", R"(B0(f)A0[{"s": "abc</para]E0!)");
  Expect(coder, "<function=f><parameter=n>\n12", R"(B0(f)A0[{"n": 12]E0!)");
  // Cut where the object can be closed is not the same as whole.
  Expect(coder, "<function=f><parameter=s>a</parameter>", R"(B0(f)A0[{"s": "a"]E0!)");
  Expect(coder, "<function=f><parameter=s>a</parameter>\n</func",
         R"(B0(f)A0[{"s": "a"]E0C[</func]!)");
}

TEST(OutputParserTest, IdsComeFromThePrefix) {
  OutputFormat format = Format(ToolSyntax::kHermes);
  format.id_prefix = "toolu_x";
  std::string ids;
  OutputParser::Sink sink;  // the others stay empty
  sink.tool_begin = [&](int, std::string_view id, std::string_view) { ids += id; };
  OutputParser parser(format, sink);
  parser.Append("<think>a</think>b<tool_call>{\"name\": \"f\"}<tool_call>{\"name\": \"f\"}");
  parser.Finish();
  EXPECT_EQ(ids, "toolu_x0toolu_x1");
  EXPECT_EQ(parser.calls(), 2);
}

// Text reaches the client when it is certain, not at the end.
TEST(OutputParserTest, NothingIsHeldWithoutNeed) {
  OutputTranscript transcript;
  OutputParser parser(Format(ToolSyntax::kHermes), transcript.Sink());
  const auto after = [&](std::string_view text) {
    parser.Append(text);
    return transcript.Text();
  };
  EXPECT_EQ(after("<think>why"), "R[why]");
  EXPECT_TRUE(parser.thinking());
  EXPECT_EQ(after(" not</think>Hi <"), "R[why not]C[Hi]");
  EXPECT_EQ(after("b> there"), "R[why not]C[Hi <b> there]");
  EXPECT_EQ(after("<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"abc"),
            "R[why not]C[Hi <b> there]B0(f)A0[{\"s\": \"abc]");
  OutputTranscript coder;
  OutputParser second(Format(ToolSyntax::kQwenCoder), coder.Sink());
  second.Append("<function=f><parameter=s>\nlong\nte");
  EXPECT_EQ(coder.Text(), R"(B0(f)A0[{"s": "long\nte])");
}

// Random texts made of what the parser looks for: any cut gives the same, nothing of the text is
// lost where there are no calls, and arguments that are not broken off are objects.
TEST(OutputParserTest, RandomOutputs) {
  const std::vector<std::string_view> parts = {"<think>",
                                               "</think>",
                                               "<tool_call>",
                                               "</tool_call>",
                                               "[TOOL_CALLS]",
                                               "<function=",
                                               "f",
                                               ">",
                                               "</function>",
                                               "<parameter=",
                                               "</parameter>",
                                               "{\"name\": \"f\"",
                                               ", \"arguments\": {",
                                               "}",
                                               "]",
                                               "[",
                                               ",",
                                               ";",
                                               "\"",
                                               "\\",
                                               " ",
                                               "\n",
                                               "text",
                                               "1",
                                               "{",
                                               "\xc3\xa9",
                                               "<"};
  Rng rng(77);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text;
    for (uint64_t i = rng.Below(14); i > 0; --i) text += parts[rng.Below(parts.size())];
    const OutputFormat format = Format(static_cast<ToolSyntax>(rng.Below(5)), rng.Below(3) == 0);
    const std::string whole = Parse(format, std::vector<std::string_view>{text});
    std::vector<std::string_view> pieces;
    for (std::string_view rest = text; !rest.empty();) {
      const size_t count = 1 + rng.Below(std::min<size_t>(rest.size(), 9));
      pieces.push_back(rest.substr(0, count));
      rest.remove_prefix(count);
    }
    ASSERT_EQ(Parse(format, pieces), whole) << text;
  }
}

}  // namespace
}  // namespace ringlet::server
