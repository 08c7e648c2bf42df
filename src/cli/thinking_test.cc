#include "cli/thinking.h"

#include <gtest/gtest.h>

namespace ringlet::cli {
namespace {

// "[...]" around thinking, for every way to cut `text` into pieces of `step`.
std::string Marked(std::string_view text, bool begins_thinking, size_t step) {
  std::string out;
  bool was = false;
  const auto mark = [&](bool thinking) {
    if (thinking != was) out += thinking ? "[" : "]";
    was = thinking;
  };
  ThinkingStream stream(begins_thinking, [&](std::string_view piece, bool thinking) {
    mark(thinking);
    out += piece;
  });
  for (size_t i = 0; i < text.size(); i += step) stream.Append(text.substr(i, step));
  stream.Finish();
  mark(false);
  return out;
}

TEST(ThinkingTest, SplitsHoweverCut) {
  for (size_t step = 1; step < 40; ++step) {
    EXPECT_EQ(Marked("<think>\nhm</think>\n\nyes", false, step), "[\nhm]\n\nyes");
    EXPECT_EQ(Marked("\n<think>hm</think>yes", false, step), "[hm]yes");
    EXPECT_EQ(Marked("hm </thi </think>yes", true, step), "[hm </thi ]yes");
    EXPECT_EQ(Marked("plain <think> text", false, step), "plain <think> text");
    EXPECT_EQ(Marked("<thin", false, step), "<thin");
    EXPECT_EQ(Marked("  x", false, step), "  x");
    EXPECT_EQ(Marked("never closed </th", true, step), "[never closed </th]");
    EXPECT_EQ(Marked("a</think>b</think>", true, step), "[a]b</think>");
  }
}

TEST(ThinkingTest, PromptsThatOpenThinking) {
  EXPECT_TRUE(EndsInThinking("<role>ASSISTANT</role><think>\n"));
  EXPECT_TRUE(EndsInThinking("<think>"));
  EXPECT_FALSE(EndsInThinking("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(EndsInThinking(""));
}

}  // namespace
}  // namespace ringlet::cli
