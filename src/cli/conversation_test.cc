#include "cli/conversation.h"

#include <gtest/gtest.h>

namespace ringlet::cli {
namespace {

Conversation Example() {
  Conversation conversation;
  conversation.SetSystem("be brief");
  conversation.AddUser("one");
  conversation.AddAssistant("1");
  conversation.AddUser("two \"quoted\"\n");
  conversation.AddAssistant("2");
  return conversation;
}

TEST(ConversationTest, UndoAndReopen) {
  Conversation conversation = Example();
  EXPECT_TRUE(conversation.Reopen());
  EXPECT_EQ(conversation.turns().size(), 3u);
  EXPECT_TRUE(conversation.Undo());
  EXPECT_EQ(conversation.turns().size(), 2u);
  EXPECT_TRUE(conversation.Undo());
  EXPECT_TRUE(conversation.empty());
  EXPECT_FALSE(conversation.Undo());
  EXPECT_FALSE(conversation.Reopen());
  EXPECT_EQ(conversation.system(), "be brief");
}

TEST(ConversationTest, JsonRoundTrip) {
  const Conversation conversation = Example();
  const auto loaded = Conversation::FromJson(conversation.ToJson(), "file");
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ(*loaded, conversation);
  EXPECT_EQ(conversation.Messages()[0]["role"], "system");
  EXPECT_EQ(Conversation().Messages().size(), 0u);
}

TEST(ConversationTest, BadFilesAreNamed) {
  const auto error = [](std::string_view text) {
    return Conversation::FromJson(text, "chat.json").status().message();
  };
  EXPECT_EQ(error("[]"),
            "chat.json: messages: found [], expected an object with an array \"messages\"");
  EXPECT_EQ(error(R"({"messages": 3})"),
            "chat.json: messages: found 3, expected an object with an array \"messages\"");
  EXPECT_EQ(error(R"({"messages": ["x"]})"),
            "chat.json: messages[0]: found a string, expected an object");
  EXPECT_EQ(error(R"({"messages": [{"role": "user"}]})"),
            "chat.json: messages[0]: found no \"content\", expected a string");
  EXPECT_EQ(error(R"({"messages": [{"role": "user", "content": 1}]})"),
            "chat.json: messages[0].content: found an integer, expected a string");
  EXPECT_EQ(error(R"({"messages": [{"role": "tool", "content": ""}]})"),
            "chat.json: messages[0].role: found \"tool\", expected user or assistant, or system in "
            "the first message");
  EXPECT_NE(error("{").find("chat.json"), std::string::npos);
}

}  // namespace
}  // namespace ringlet::cli
