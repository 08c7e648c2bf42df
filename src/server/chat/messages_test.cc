#include "server/chat/messages.h"

#include <gtest/gtest.h>

#include <string>

namespace ringlet::server {
namespace {

using Convert = Result<ChatTurns> (*)(const OrderedJson& body, const std::string& source);

OrderedJson Parse(std::string_view text) {
  const Result<OrderedJson> parsed = ParseOrderedJson(text, "test");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *parsed : OrderedJson();
}

ChatTurns Prompt(Convert convert, std::string_view body) {
  const Result<ChatTurns> prompt = convert(Parse(body), "request");
  EXPECT_TRUE(prompt.ok()) << prompt.status().message();
  return prompt.ok() ? *prompt : ChatTurns();
}

std::string Messages(Convert convert, std::string_view body) {
  return Prompt(convert, body).messages.dump();
}

std::string Error(Convert convert, std::string_view body) {
  const Result<ChatTurns> prompt = convert(Parse(body), "request");
  EXPECT_FALSE(prompt.ok()) << body;
  if (prompt.ok()) return "";
  EXPECT_EQ(prompt.status().code(), StatusCode::kInvalidInput) << body;
  return prompt.status().message();
}

// The conversation that all three interfaces can tell.
const std::string kConversation = Parse(R"([
  {"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Weather?\nIn Rome."},
  {"role": "assistant", "content": "I look.", "reasoning_content": "A tool.", "tool_calls": [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
    {"id": "c2", "type": "function", "function": {"name": "now", "arguments": {}}}]},
  {"role": "tool", "content": "21", "tool_call_id": "c1", "name": "weather"},
  {"role": "tool", "content": "noon\nsharp", "tool_call_id": "c2", "name": "now"},
  {"role": "user", "content": "Thanks"}])")
                                      .dump();
const std::string kTools = Parse(R"([
  {"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}}},
  {"type": "function", "function": {"name": "now"}}])")
                               .dump();

TEST(MessagesTest, ChatCompletions) {
  const ChatTurns prompt = Prompt(PromptOfChatCompletions, R"({"model": "m", "messages": [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"},
      {"type": "text", "text": "In Rome.", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": "I look.", "reasoning": "A tool.", "refusal": null, "tool_calls": [
      {"id": "c1", "type": "function", "index": 0,
       "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}},
      {"id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "21"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "noon"},
      {"type": "text", "text": "sharp"}]},
    {"role": "user", "content": "Thanks"}],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "d",
      "parameters": {"type": "object"}, "strict": true}}, {"type": "function", "function": {"name": "now"}}],
    "parallel_tool_calls": false})");
  EXPECT_EQ(prompt.messages.dump(), kConversation);
  EXPECT_EQ(prompt.tools.tools.dump(), kTools);
  EXPECT_EQ(prompt.tools.choice.mode, ToolChoice::Mode::kAuto);
  EXPECT_FALSE(prompt.tools.choice.parallel);
}

TEST(MessagesTest, Responses) {
  const ChatTurns prompt = Prompt(PromptOfResponses, R"({"instructions": "Be brief.", "input": [
    {"role": "user", "content": [{"type": "input_text", "text": "Weather?"},
      {"type": "input_text", "text": "In Rome."}]},
    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "not this"}],
     "content": [{"type": "reasoning_text", "text": "A tool."}], "encrypted_content": null},
    {"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": [
      {"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}]},
    {"type": "function_call", "call_id": "c1", "id": "f", "name": "weather",
     "arguments": "{\"city\": \"Rome\"}", "status": "completed"},
    {"type": "function_call", "call_id": "c2", "name": "now", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "21"},
    {"type": "function_call_output", "call_id": "c2", "output": [
      {"type": "input_text", "text": "noon"}, {"type": "input_text", "text": "sharp"}]},
    {"type": "message", "role": "user", "content": "Thanks"}],
    "tools": [{"type": "function", "name": "weather", "description": "d",
      "parameters": {"type": "object"}, "strict": null}, {"type": "function", "name": "now"}],
    "tool_choice": {"type": "function", "name": "now"}})");
  OrderedJson want = Parse(kConversation);
  // Reasoning came first here.
  OrderedJson& assistant = want[2];
  assistant = {{"role", "assistant"},
               {"content", "I look."},
               {"reasoning_content", "A tool."},
               {"tool_calls", assistant["tool_calls"]}};
  EXPECT_EQ(prompt.messages.dump(), want.dump());
  EXPECT_EQ(prompt.tools.tools.dump(), kTools);
  EXPECT_EQ(prompt.tools.choice.mode, ToolChoice::Mode::kNamed);
  EXPECT_EQ(prompt.tools.choice.name, "now");

  EXPECT_EQ(Messages(PromptOfResponses, R"({"input": "Hi"})"),
            R"([{"role":"user","content":"Hi"}])");
  EXPECT_EQ(
      Messages(PromptOfResponses, R"({"input": [
              {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]},
              {"type": "reasoning", "summary": []},
              {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"},
              {"role": "developer", "content": "d"}]})"),
      R"([{"role":"assistant","content":"b\nc","reasoning_content":"a"},{"role":"system","content":"d"}])");
}

TEST(MessagesTest, Anthropic) {
  const ChatTurns prompt = Prompt(PromptOfAnthropic, R"({"max_tokens": 9,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "text", "text": "In Rome."}]},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "A tool.", "signature": "xyz"},
      {"type": "redacted_thinking", "data": "xyz"},
      {"type": "text", "text": "I look."},
      {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
      {"type": "tool_use", "id": "c2", "name": "now", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "c1", "content": "21", "is_error": false},
      {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "noon"},
        {"type": "text", "text": "sharp"}]},
      {"type": "text", "text": "Thanks"}]}],
    "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object"}},
      {"type": "custom", "name": "now"}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": true}})");
  EXPECT_EQ(prompt.messages.dump(), kConversation);
  EXPECT_EQ(prompt.tools.tools.dump(), kTools);
  EXPECT_EQ(prompt.tools.choice.mode, ToolChoice::Mode::kRequired);
  EXPECT_FALSE(prompt.tools.choice.parallel);

  EXPECT_EQ(Messages(PromptOfAnthropic, R"({"system": "", "messages": [
              {"role": "user", "content": [{"type": "text", "text": "a"},
                {"type": "tool_result", "tool_use_id": "x"}]},
              {"role": "assistant", "content": "b"},
              {"role": "user", "content": []}]})"),
            R"([{"role":"user","content":"a"},{"role":"tool","content":"","tool_call_id":"x"},)"
            R"({"role":"assistant","content":"b"},{"role":"user","content":""}])");
}

TEST(MessagesTest, ArgumentsStayTextsWhereTheyAreNoObject) {
  EXPECT_EQ(Messages(PromptOfChatCompletions, R"({"messages": [{"role": "assistant", "tool_calls": [
              {"id": "c", "function": {"name": "f", "arguments": "{\"cut"}},
              {"function": {"name": "g", "arguments": {"a": 1}}},
              {"id": "e", "function": {"name": "h"}}]}]})"),
            R"([{"role":"assistant","content":"","tool_calls":[)"
            R"({"id":"c","type":"function","function":{"name":"f","arguments":"{\"cut"}},)"
            R"({"id":"","type":"function","function":{"name":"g","arguments":{"a":1}}},)"
            R"({"id":"e","type":"function","function":{"name":"h","arguments":{}}}]}])");
}

TEST(MessagesTest, NamesAreKept) {
  EXPECT_EQ(Messages(PromptOfChatCompletions, R"({"messages": [
              {"role": "user", "content": "a", "name": "Ada"},
              {"role": "assistant", "content": null, "refusal": "no", "name": "Bot"},
              {"role": "tool", "content": "", "tool_call_id": "u", "name": "f"},
              {"role": "tool", "content": "", "tool_call_id": "u"}]})"),
            R"([{"role":"user","content":"a","name":"Ada"},)"
            R"({"role":"assistant","content":"no","name":"Bot"},)"
            R"({"role":"tool","content":"","tool_call_id":"u","name":"f"},)"
            R"({"role":"tool","content":"","tool_call_id":"u"}])");
}

TEST(MessagesTest, ErrorsOfChatCompletions) {
  const auto error = [](std::string_view message) {
    return Error(PromptOfChatCompletions, "{\"messages\": [" + std::string(message) + "]}");
  };
  EXPECT_EQ(error(R"({"role": "user", "content": [{"type": "text", "text": "a"},
                     {"type": "image_url", "image_url": {"url": "x"}}]})"),
            "request: messages[0].content[1].type: found \"image_url\", expected \"text\"");
  EXPECT_EQ(error(R"({"role": "user", "content": 7})"),
            "request: messages[0].content: found 7, expected a string or an array of parts");
  EXPECT_EQ(error(R"({"role": "user"})"),
            "request: messages[0].content: found nothing, expected a value");
  EXPECT_EQ(error(R"({"role": "assistant"})"),
            "request: messages[0].content: found nothing, expected a value");
  EXPECT_EQ(error(R"({"role": "tool", "content": "a"})"),
            "request: messages[0].tool_call_id: found nothing, expected a value");
  EXPECT_EQ(error(R"({"role": "robot", "content": "a"})"),
            "request: messages[0].role: found \"robot\", expected \"system\", \"developer\", "
            "\"user\", \"assistant\" or \"tool\"");
  EXPECT_EQ(
      error(R"({"role": "user", "content": "a", "mood": 1})"),
      "request: messages[0].mood: found an unknown field, expected one of role, content, name");
  EXPECT_EQ(error(R"({"role": "user", "content": [{"type": "text", "text": "a", "b.c": 1}]})"),
            "request: messages[0].content[0].b.c: found an unknown field, expected none, or one of "
            "the interface");
  EXPECT_EQ(error(R"({"role": "user", "content": [{"type": "text"}]})"),
            "request: messages[0].content[0].text: found nothing, expected a value");
  EXPECT_EQ(error(R"("hello")"), "request: messages[0]: found \"hello\", expected an object");
  EXPECT_EQ(error(""), "request: messages: found an array, expected 1 to 65536 elements");
  EXPECT_EQ(error(R"({"role": "assistant", "function_call": {"name": "f"}})"),
            "request: messages[0].function_call: found an object, expected null");
  EXPECT_EQ(
      error(
          R"({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]})"),
      "request: messages[0].tool_calls[0].function.arguments: found 1, expected a string with "
      "an object in JSON");
  EXPECT_EQ(error(R"({"role": "assistant", "tool_calls": [{"type": "code", "function": {}}]})"),
            "request: messages[0].tool_calls[0].type: found \"code\", expected \"function\"");
  EXPECT_EQ(Error(PromptOfChatCompletions, "{}"),
            "request: messages: found nothing, expected a value");
  EXPECT_EQ(Error(PromptOfChatCompletions, "[]"), "request: found an array, expected an object");
}

TEST(MessagesTest, ErrorsOfTheOthers) {
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "user", "content": [
                    {"type": "image", "source": {}}]}]})"),
            "request: messages[0].content[0].type: found \"image\", expected \"text\" or "
            "\"tool_result\" in a user message");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image"}]}]}]})"),
            "request: messages[0].content[0].content[0].type: found \"image\", expected \"text\"");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]}]})"),
            "request: messages[0].content[0].input: found \"{}\", expected an object");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "system", "content": "a"}]})"),
            "request: messages[0].role: found \"system\", expected \"user\" or \"assistant\"");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"system": 1, "messages": []})"),
            "request: system: found 1, expected a string or an array of parts");
  EXPECT_EQ(
      Error(PromptOfResponses, R"({"input": [{"type": "item_reference", "id": "x"}]})"),
      "request: input[0].type: found \"item_reference\", expected \"message\", \"reasoning\", "
      "\"function_call\" or \"function_call_output\"");
  EXPECT_EQ(Error(PromptOfResponses, R"({"input": [{"role": "user", "content": [
                    {"type": "input_image", "image_url": "x"}]}]})"),
            "request: input[0].content[0].type: found \"input_image\", expected \"input_text\" or "
            "\"output_text\" or \"text\" or \"refusal\"");
  EXPECT_EQ(Error(PromptOfResponses, R"({"input": 1})"),
            "request: input: found 1, expected a string or an array of items");
}

ToolSettings Tools(std::string_view members) {
  return Prompt(PromptOfChatCompletions,
                R"({"messages": [{"role": "user", "content": ""}], "tools": [{"type": "function",
                   "function": {"name": "f"}}])" +
                    std::string(members) + "}")
      .tools;
}

TEST(ToolsTest, Choices) {
  using Mode = ToolChoice::Mode;
  EXPECT_EQ(Tools("").choice.mode, Mode::kAuto);
  EXPECT_EQ(Tools(R"(, "tool_choice": "auto")").choice.mode, Mode::kAuto);
  EXPECT_EQ(Tools(R"(, "tool_choice": "required")").choice.mode, Mode::kRequired);
  const ToolSettings named =
      Tools(R"(, "tool_choice": {"type": "function", "function": {"name": "f"}})");
  EXPECT_EQ(named.choice.mode, Mode::kNamed);
  EXPECT_EQ(named.choice.name, "f");
  // Tools that may not be called are not shown either.
  const ToolSettings none = Tools(R"(, "tool_choice": "none")");
  EXPECT_EQ(none.choice.mode, Mode::kNone);
  EXPECT_TRUE(none.tools.is_null());
  const ToolSettings empty =
      Prompt(
          PromptOfChatCompletions,
          R"({"messages": [{"role": "user", "content": ""}], "tools": [], "tool_choice": "auto"})")
          .tools;
  EXPECT_EQ(empty.choice.mode, Mode::kNone);
  EXPECT_TRUE(empty.tools.is_null());
}

TEST(ToolsTest, Errors) {
  const auto error = [](std::string_view members) {
    return Error(PromptOfChatCompletions, R"({"messages": [{"role": "user", "content": ""}], )" +
                                              std::string(members) + "}");
  };
  EXPECT_EQ(error(R"("tools": [{"type": "web_search"}])"),
            "request: tools[0].type: found \"web_search\", expected \"function\"");
  EXPECT_EQ(error(R"("tools": [{"type": "function", "function": {"name": "a b"}}])"),
            "request: tools[0].function.name: found \"a b\", expected 1 to 128 letters, digits and "
            "_.:/- characters");
  EXPECT_EQ(error(R"("tools": [{"type": "function", "function": {"name": "f"}},
                               {"type": "function", "function": {"name": "f"}}])"),
            "request: tools[1]: found an object, expected a tool with a name of its own");
  EXPECT_EQ(
      error(R"("tools": [{"type": "function", "function": {"name": "f", "parameters": []}}])"),
      "request: tools[0].function.parameters: found an array, expected an object");
  EXPECT_EQ(error(R"("tools": 1)"), "request: tools: found 1, expected an array");
  EXPECT_EQ(error(R"("tool_choice": "required")"),
            "request: tool_choice: found \"required\", expected tools in the request");
  EXPECT_EQ(error(R"("tool_choice": "any")"),
            "request: tool_choice: found \"any\", expected \"none\", \"auto\", \"required\" or an "
            "object");
  EXPECT_EQ(error(R"("tool_choice": {"type": "function", "function": {"name": "g"}})"),
            "request: tool_choice: found an object, expected the name of a tool, not \"g\"");
  EXPECT_EQ(error(R"("parallel_tool_calls": 1)"),
            "request: parallel_tool_calls: found 1, expected true or false");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "user", "content": ""}],
                    "tools": [{"type": "bash_20250124", "name": "bash"}]})"),
            "request: tools[0].type: found \"bash_20250124\", expected \"custom\"");
  EXPECT_EQ(Error(PromptOfAnthropic, R"({"messages": [{"role": "user", "content": ""}],
                    "tool_choice": {"type": "tool", "name": "x"}})"),
            "request: tool_choice: found an object, expected the name of a tool, not \"x\"");
}

// Every value at every place: an error or a prompt, and nothing else.
TEST(MessagesTest, DamagedRequestsEndInErrors) {
  const std::vector<std::pair<Convert, std::string>> bodies = {
      {PromptOfChatCompletions,
       R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant",
          "content": "b", "reasoning_content": "r", "tool_calls": [{"id": "c", "type": "function",
          "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "content": "t",
          "tool_call_id": "c"}], "tools": [{"type": "function", "function": {"name": "f",
          "parameters": {}}}], "tool_choice": {"type": "function", "function": {"name": "f"}}})"},
      {PromptOfResponses,
       R"({"instructions": "i", "input": [{"type": "reasoning", "summary": [{"type": "summary_text",
          "text": "s"}]}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
          {"type": "function_call_output", "call_id": "c", "output": "o"}], "tools": [{"type":
          "function", "name": "f"}], "tool_choice": {"type": "function", "name": "f"}})"},
      {PromptOfAnthropic,
       R"({"system": "s", "messages": [{"role": "user", "content": [{"type": "tool_result",
          "tool_use_id": "c", "content": [{"type": "text", "text": "t"}], "is_error": true}]}, {"role":
          "assistant", "content": [{"type": "thinking", "thinking": "t"}, {"type": "tool_use", "id":
          "c", "name": "f", "input": {}}]}], "tools": [{"name": "f", "input_schema": {}}],
          "tool_choice": {"type": "tool", "name": "f"}})"}};
  const OrderedJson values =
      Parse(R"([null, true, 1, -1.5, "", "x", [], [[]], [null], {}, {"type": 1}])");
  for (const auto& [convert, text] : bodies) {
    const OrderedJson whole = Parse(text);
    ASSERT_TRUE(convert(whole, "request").ok()) << convert(whole, "request").status().message();
    int errors = 0;
    const OrderedJson places = whole.flatten();
    for (const auto& [path, unused] : places.items()) {
      // The place and all that lead to it.
      for (OrderedJson::json_pointer at(path); !at.empty(); at = at.parent_pointer()) {
        for (const OrderedJson& value : values) {
          OrderedJson damaged = whole;
          damaged[at] = value;
          const auto result = convert(damaged, "request");
          if (result.ok()) continue;
          ++errors;
          EXPECT_TRUE(result.status().message().starts_with("request: "));
        }
      }
    }
    EXPECT_GT(errors, 100);
  }
}

}  // namespace
}  // namespace ringlet::server
