// Replays tests/data/chat_templates, whose expected texts Jinja2 wrote
// (tools/gen_template_goldens.py).
#include "io/chat_template.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ringlet {
namespace {

const std::string kData = RINGLET_SOURCE_DIR "/tests/data/chat_templates/";

OrderedJson ReadData(const std::string& name) {
  Result<std::string> text = ReadFile(kData + name);
  EXPECT_TRUE(text.ok()) << text.status().message();
  Result<OrderedJson> json = ParseOrderedJson(*text, name);
  EXPECT_TRUE(json.ok()) << json.status().message();
  return *json;
}

// What the goldens' strftime_now returns: Friday 26 July 2024, 13:05:09.
std::tm FixedTime() {
  std::tm time = {};
  time.tm_year = 124;
  time.tm_mon = 6;
  time.tm_mday = 26;
  time.tm_hour = 13;
  time.tm_min = 5;
  time.tm_sec = 9;
  time.tm_wday = 5;
  time.tm_yday = 207;
  return time;
}

ChatInput InputOf(const OrderedJson& chat) {
  ChatInput input;
  input.now = FixedTime();
  if (chat.contains("messages")) input.messages = chat["messages"];
  if (chat.contains("tools")) input.tools = chat["tools"];
  if (chat.contains("extra")) input.extra = chat["extra"];
  input.add_generation_prompt = chat.value("add_generation_prompt", true);
  input.bos_token = chat.value("bos_token", "");
  input.eos_token = chat.value("eos_token", "");
  return input;
}

Result<std::string> RenderText(const std::string& source, const std::string& name,
                               const ChatInput& input) {
  auto parsed = ChatTemplate::Parse(source, name);
  if (!parsed.ok()) return parsed.status();
  return (*parsed)->Render(input);
}

TEST(ChatTemplateTest, LanguageAgreesWithJinja) {
  const OrderedJson data = ReadData("language.json");
  ASSERT_GE(data["cases"].size(), 250u);
  ChatInput input;
  input.now = FixedTime();
  input.extra = data["context"];
  for (const auto& test : data["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const auto result = RenderText(test["template"].get<std::string>(), "case", input);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(*result, test["expected"].get<std::string>());
  }
}

TEST(ChatTemplateTest, WholeTemplatesAgreeWithJinja) {
  const OrderedJson data = ReadData("conversations.json");
  ASSERT_GE(data["expected"].size(), 9u);
  for (const auto& [file, outputs] : data["expected"].items()) {
    const Result<std::string> source = ReadFile(kData + "whole/" + file);
    ASSERT_TRUE(source.ok()) << source.status().message();
    const auto parsed = ChatTemplate::Parse(*source, file);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    for (const auto& [conversation, expected] : outputs.items()) {
      SCOPED_TRACE(file + " over " + conversation);
      const auto result = (*parsed)->Render(InputOf(data["conversations"][conversation]));
      if (expected.contains("text")) {
        ASSERT_TRUE(result.ok()) << result.status().message();
        EXPECT_EQ(*result, expected["text"].get<std::string>());
      } else {
        ASSERT_FALSE(result.ok()) << *result;
        EXPECT_EQ(result.status().code(), StatusCode::kInvalidInput);
        EXPECT_NE(result.status().message().find(expected["error"].get<std::string>()),
                  std::string::npos)
            << result.status().message();
      }
    }
  }
}

TEST(ChatTemplateTest, MalformedTemplatesAreRefused) {
  const OrderedJson data = ReadData("malformed.json");
  ASSERT_GE(data["cases"].size(), 60u);
  ChatInput input;
  input.extra = data["context"];
  for (const auto& test : data["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const auto result = RenderText(test["template"].get<std::string>(), "bad", input);
    ASSERT_FALSE(result.ok()) << *result;
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidInput);
    const std::string& message = result.status().message();
    EXPECT_TRUE(message.starts_with("bad:")) << message;
    EXPECT_NE(message.find(test["error"].get<std::string>()), std::string::npos) << message;
  }
}

// Attempts that Jinja2's sandbox answers with nothing: so does this one.
TEST(ChatTemplateTest, PrivateNamesAreNeverFound) {
  for (const char* source :
       {"{{ ''.__class__ }}", "{{ [].__init__ }}", "{{ {}['__class__'] }}", "{{ (1).__add__ }}",
        "{{ namespace.__globals__ }}", "{{ raise_exception.__code__ }}", "{{ range.__self__ }}",
        "{{ cycler('a').__dict__ }}", "{{ none.__class__ }}", "{{ lipsum }}", "{{ config }}",
        "{{ self }}", "{{ messages|attr('__len__') }}", "{{ get_flashed_messages }}",
        "{{ ''|attr('__cl' ~ 'ass__') }}", "{{ [1]|map(attribute='__class__')|join }}",
        "{% set x = ''.__class__ %}{{ x }}", "{{ {'_private': 'p'}._private }}",
        "{{ ''.join.__func__ if ''.join.__func__ is defined }}"}) {
    const auto result = RenderText(source, "t", {});
    ASSERT_TRUE(result.ok()) << source << ": " << result.status().message();
    EXPECT_EQ(*result, "") << source;
  }
}

TEST(ChatTemplateTest, VariablesOfTheInput) {
  ChatInput input;
  const std::string source =
      "{{ bos_token is defined }} {{ eos_token }} {{ tools }} {{ documents }} "
      "{{ add_generation_prompt }} {{ custom_flag }} {{ messages|length }}";
  EXPECT_EQ(*RenderText(source, "t", input), "False  None None True  0");
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  input.add_generation_prompt = false;
  input.extra = {{"custom_flag", 5}};
  input.messages = OrderedJson::array({{{"role", "user"}}});
  EXPECT_EQ(*RenderText(source, "t", input), "True </s> None None False 5 1");
}

TEST(ChatTemplateTest, ExtraVariablesCannotReplaceTheInput) {
  ChatInput input;
  input.extra = {{"messages", OrderedJson::array()}};
  EXPECT_EQ(RenderText("x", "t", input).status().message(),
            "chat template variables: messages: found a reserved name, expected names other than "
            "messages, tools, add_generation_prompt, bos_token and eos_token");
  input.extra = OrderedJson::array({1});
  EXPECT_EQ(RenderText("x", "t", input).status().code(), StatusCode::kInvalidInput);
}

TEST(ChatTemplateTest, BadUtf8) {
  const auto parsed = ChatTemplate::Parse("ab\xFF", "t");
  EXPECT_EQ(parsed.status().message(),
            "t: found a byte that is not UTF-8 at offset 2, expected UTF-8 text");
  ChatInput input;
  input.messages = OrderedJson::array({{{"content", "a\xFF\xC3"}}});
  EXPECT_EQ(*RenderText("{{ messages[0].content ~ messages[0].content|length }}", "t", input),
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "3");
}

TEST(ChatTemplateTest, RenderingIsPure) {
  // The template mutates what it is given; the input and the next rendering must not see it.
  const std::string source =
      "{% set _ = messages.append(1) %}{% set _ = messages[0].update(x=1) %}{{ messages|length }}"
      "{{ messages[0] }}";
  const auto parsed = ChatTemplate::Parse(source, "t");
  ChatInput input;
  input.messages = OrderedJson::array({{{"a", 1}}});
  const OrderedJson before = input.messages;
  for (int i = 0; i < 3; ++i) {
    const auto result = (*parsed)->Render(input);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(*result, "2{'a': 1, 'x': 1}");
    EXPECT_EQ(input.messages, before);
  }
}

TEST(ChatTemplateTest, ClockIsReadOnlyWithoutAFixedTime) {
  const auto result = RenderText("{{ strftime_now('%Y')|int > 2000 }}", "t", {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(*result, "True");
}

// Beyond Jinja: templates written for llama.cpp parse tool arguments with it.
TEST(ChatTemplateTest, FromJson) {
  EXPECT_EQ(*RenderText("{{ ('{\"b\": [1, 2.5, null], \"a\": \"x\"}'|from_json).b }}", "t", {}),
            "[1, 2.5, None]");
}

}  // namespace
}  // namespace ringlet
