#include "server/http/sse.h"

#include <gtest/gtest.h>

namespace ringlet {
namespace {

std::vector<std::string> Parse(std::string_view bytes, size_t first, size_t step) {
  SseParser parser;
  std::vector<SseEvent> events;
  parser.Append(bytes.substr(0, first), events);
  for (size_t i = first; i < bytes.size(); i += step) parser.Append(bytes.substr(i, step), events);
  EXPECT_FALSE(parser.failed());
  std::vector<std::string> flat;
  for (const SseEvent& e : events) flat.push_back(e.type + "|" + e.data + "|" + e.id);
  return flat;
}

TEST(SseTest, EverySplitGivesTheSameEvents) {
  using namespace std::string_literals;
  const std::string stream =
      "\xEF\xBB\xBF"
      "data: one\n\n"
      ": comment\n\n"
      "event: add\r\nid: 7\r\ndata:two\r\ndata:  lines\r\n\r\n"
      "data\r\rdata:\rdata\r\r"
      "event: nothing\n\n"
      "id: a\0b\nretry: 10\nunknown: x\ndata: {\"a\": \"b:c\"}\n\n"s
      "id\ndata: \xC3\xA9\n\n"
      "data: cut off\n";
  const std::vector<std::string> expected = {"|one|", "add|two\n lines|7",   "||7",
                                             "|\n|7", "|{\"a\": \"b:c\"}|7", "|\xC3\xA9|"};
  for (size_t first = 0; first <= stream.size(); ++first) {
    EXPECT_EQ(Parse(stream, first, stream.size()), expected) << first;
    EXPECT_EQ(Parse(stream, first, 1), expected) << first;
    EXPECT_EQ(Parse(stream, first, 3), expected) << first;
  }
}

TEST(SseTest, FormatAndParseAgree) {
  for (const std::string data : {"", "a", " a", "a\nb", "\n", "\n\n", "a\n", ":", "data: x"}) {
    SseParser parser;
    std::vector<SseEvent> events;
    parser.Append(FormatSseEvent(data, "t", "1"), events);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].data, data);
    EXPECT_EQ(events[0].type, "t");
    EXPECT_EQ(events[0].id, "1");
  }
}

TEST(SseTest, Format) {
  EXPECT_EQ(FormatSseEvent("[DONE]"), "data: [DONE]\n\n");
  EXPECT_EQ(FormatSseEvent("a\r\nb\rc\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n");
  EXPECT_EQ(FormatSseEvent("x", "a\r\ndata: y", "1\n"), "event: adata: y\nid: 1\ndata: x\n\n");
}

TEST(SseTest, AnEventIsBounded) {
  SseParser parser(100);
  std::vector<SseEvent> events;
  parser.Append("data: " + std::string(80, 'x') + "\n\n", events);
  EXPECT_FALSE(parser.failed());
  for (int i = 0; i < 20; ++i) parser.Append("data: 12345\n", events);
  EXPECT_TRUE(parser.failed());
  parser.Append("\n\ndata: 1\n\n", events);
  EXPECT_EQ(events.size(), 1u);
  SseParser line(100);
  line.Append(std::string(101, 'x'), events);
  EXPECT_TRUE(line.failed());
}

}  // namespace
}  // namespace ringlet
