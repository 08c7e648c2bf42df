#include "server/http/request_parser.h"

#include <gtest/gtest.h>

#include "server/http/malformed_requests.h"

namespace ringlet::http {
namespace {

RequestParser NewParser() { return RequestParser(HeadLimits(), 1 << 20); }

struct Parsed {
  std::vector<HttpRequest> requests;
  int refused = 0;
};

// Feeds `bytes` in pieces of `step`, or cut once at `step` with `once`.
Parsed Parse(std::string_view bytes, size_t step, bool once = false) {
  RequestParser parser = NewParser();
  Parsed parsed;
  while (!bytes.empty() && parsed.refused == 0) {
    parser.Append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    if (once) step = bytes.size();
    for (bool more = true; more;) {
      switch (parser.Next()) {
        case ParseStep::kMore:
          more = false;
          break;
        case ParseStep::kHead:
          EXPECT_FALSE(parser.request().method.empty());
          break;
        case ParseStep::kDone:
          parsed.requests.push_back(parser.TakeRequest());
          break;
        case ParseStep::kFailed:
          parsed.refused = parser.refusal().status;
          more = false;
          break;
      }
    }
  }
  return parsed;
}

TEST(RequestParserTest, EverySplitGivesTheSameRequests) {
  const std::string stream =
      "\r\nGET /a%20b?x=1?&y HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\nX-Space: \t two words \t\r\n\r\n"
      "POST /p HTTP/1.1\r\nhOST: h\r\ncontent-length: 5\r\n\r\nGET /"
      "POST /q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;name=\"v\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
      "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\nGET HTTP://h/u HTTP/1.1\r\nHost: h\r\n\r\n"
      "GET http://h?q HTTP/1.0\r\n\r\n";
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    for (const bool once : {false, true}) {
      const Parsed parsed = Parse(stream, cut, once);
      ASSERT_EQ(parsed.refused, 0) << cut;
      ASSERT_EQ(parsed.requests.size(), 6u) << cut;
      const auto& r = parsed.requests;
      EXPECT_EQ(r[0].path, "/a%20b");
      EXPECT_EQ(r[0].query, "x=1?&y");
      EXPECT_EQ(r[0].Header("x-space"), "two words");
      EXPECT_EQ(r[0].Header("X-EMPTY"), "");
      EXPECT_EQ(r[0].headers.size(), 3u);
      EXPECT_EQ(r[1].body, "GET /");
      EXPECT_EQ(r[2].body, "abc0123456789");
      EXPECT_EQ(r[2].headers.size(), 2u) << "a trailer is no header";
      EXPECT_EQ(r[3].path, "*");
      EXPECT_EQ(r[4].path, "/u");
      EXPECT_EQ(r[5].path, "/");
      EXPECT_EQ(r[5].query, "q");
      EXPECT_EQ(r[5].minor_version, 0);
    }
  }
}

TEST(RequestParserTest, MalformedInOnePieceAndByteByByte) {
  const auto cases = MalformedRequests();
  EXPECT_GE(cases.size(), 40u);
  for (const MalformedRequest& bad : cases) {
    EXPECT_EQ(Parse(bad.bytes, bad.bytes.size()).refused, bad.status) << bad.name;
    EXPECT_EQ(Parse(bad.bytes, 1).refused, bad.status) << bad.name;
    EXPECT_TRUE(Parse(bad.bytes, bad.bytes.size()).requests.empty()) << bad.name;
  }
}

TEST(RequestParserTest, LimitsHoldExactly) {
  const std::string line = "GET /";
  const auto request = [&](size_t target, size_t value) {
    return "GET /" + std::string(target, 'a') +
           " HTTP/1.1\r\nHost: h\r\na: " + std::string(value, 'b') + "\r\n\r\n";
  };
  // "GET /" and " HTTP/1.1" are 14 bytes of the line.
  EXPECT_EQ(Parse(request(8192 - 14, 0), 100).refused, 0);
  EXPECT_EQ(Parse(request(8192 - 13, 0), 100).refused, 414);
  const size_t fixed = request(0, 0).size();
  EXPECT_EQ(Parse(request(0, 16384 - fixed), 100).refused, 0);
  EXPECT_EQ(Parse(request(0, 16385 - fixed), 100).refused, 431);
  EXPECT_EQ(Parse(request(0, 16385 - fixed), 1 << 20).refused, 431);
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string body(1 << 20, 'x');
  EXPECT_EQ(Parse(post + "Content-Length: 1048576\r\n\r\n" + body, 7000).requests.size(), 1u);
  EXPECT_EQ(Parse(post + "Content-Length: 1048577\r\n\r\n", 7000).refused, 413);
  const std::string chunks = post + "Transfer-Encoding: chunked\r\n\r\n100000\r\n" + body + "\r\n";
  EXPECT_EQ(Parse(chunks + "0\r\n\r\n", 7000).requests.size(), 1u);
  EXPECT_EQ(Parse(chunks + "1\r\n", 7000).refused, 413);
}

// Chunks whose framing is many times their data cannot be sent for ever.
TEST(RequestParserTest, FramingOfChunksIsBounded) {
  RequestParser parser(HeadLimits(), 1000);
  parser.Append("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(parser.Next(), ParseStep::kHead);
  const std::string chunk = "1;x=" + std::string(10000, 'y') + "\r\na\r\n";
  int sent = 0;
  ParseStep step = ParseStep::kMore;
  for (; step == ParseStep::kMore && sent < 1000; ++sent) {
    parser.Append(chunk);
    step = parser.Next();
  }
  EXPECT_EQ(step, ParseStep::kFailed);
  EXPECT_LT(sent, 100);
  EXPECT_EQ(parser.refusal().status, 413);
  parser.Append(chunk);
  EXPECT_EQ(parser.Next(), ParseStep::kFailed);
}

TEST(RequestParserTest, ConnectionOptions) {
  const auto framing = [](const std::string& head) {
    RequestParser parser = NewParser();
    parser.Append(head + "\r\n");
    EXPECT_EQ(parser.Next(), ParseStep::kHead) << head;
    return parser.framing();
  };
  EXPECT_TRUE(framing("GET / HTTP/1.1\r\nHost: h\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.0\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.0\r\nConnection: keep-alive\r\n").keep_alive);
  const std::string expect = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n";
  EXPECT_TRUE(framing(expect + "Content-Length: 1\r\n").expects_continue);
  EXPECT_FALSE(framing(expect + "Content-Length: 0\r\n").expects_continue);
  EXPECT_FALSE(framing("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n").expects_continue);
}

}  // namespace
}  // namespace ringlet::http
