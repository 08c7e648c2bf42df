#include "server/http/client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "server/http/http_test_util.h"
#include "server/http/response_parser.h"

namespace ringlet {
namespace {

std::unique_ptr<HttpClient> NewClient(int port) {
  auto client = HttpClient::Create("127.0.0.1", port);
  EXPECT_TRUE(client.ok());
  return std::move(client).value();
}

HttpCall GetCall(std::string target) {
  HttpCall call;
  call.method = "GET";
  call.target = std::move(target);
  return call;
}

TEST(HttpClientTest, CallsReuseTheirConnection) {
  const auto server = StartServer(TestOptions(), Echo);
  const auto client = NewClient(server->port());
  const HttpReply first = client->Fetch(JsonCall("/a?b", "{}"));
  ASSERT_TRUE(first.status.ok()) << first.status.message();
  EXPECT_EQ(first.code, 200);
  EXPECT_EQ(first.body, "POST /a?b {}");
  EXPECT_EQ(FindHeader(first.headers, "content-type"), "text/plain");
  EXPECT_FALSE(first.reused);
  EXPECT_LE(first.started, first.sent);
  EXPECT_LE(first.started, first.head);
  EXPECT_LE(first.head, first.done);
  const HttpReply second = client->Fetch(GetCall("/"));
  EXPECT_EQ(second.body, "GET /? ");
  EXPECT_TRUE(second.reused);
  HttpCall head = GetCall("/");
  head.method = "HEAD";
  EXPECT_EQ(client->Fetch(std::move(head)).body, "");
  EXPECT_TRUE(client->Fetch(GetCall("/")).reused);
  EXPECT_EQ(server->stats().connections, 1u);
}

TEST(HttpClientTest, TasksRunAtTheirTimesBesideCalls) {
  const auto server = StartServer(TestOptions(), Echo);
  const auto client = NewClient(server->port());
  const HttpTime start = std::chrono::steady_clock::now();
  std::string order;
  client->At(start + milliseconds(40), [&] {
    order += 'b';
    EXPECT_GE(std::chrono::steady_clock::now(), start + milliseconds(40));
    HttpCall call = GetCall("/");
    call.on_done = [&](const HttpReply& reply) { order += reply.status.ok() ? 'c' : '!'; };
    client->Start(std::move(call));
  });
  client->At(start, [&] { order += 'a'; });
  client->Run();
  EXPECT_EQ(order, "abc");
}

TEST(HttpClientTest, ConnectionsThatTheServerClosedAreReplaced) {
  HttpServerOptions options = TestOptions();
  options.idle_timeout = milliseconds(20);
  const auto server = StartServer(options, Echo);
  const auto client = NewClient(server->port());
  EXPECT_TRUE(client->Fetch(GetCall("/")).status.ok());
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
  const HttpReply reply = client->Fetch(GetCall("/"));
  EXPECT_TRUE(reply.status.ok()) << reply.status.message();
  EXPECT_FALSE(reply.reused);
}

// The stream of path "/n" has n events; "/cut" is cut off after one.
void Stream(const std::shared_ptr<Exchange>& exchange) {
  const std::string& path = exchange->request().path;
  exchange->BeginStream(200, "text/event-stream");
  const int events = path == "/cut" ? 1 : std::atoi(path.c_str() + 1);
  for (int i = 0; i < events; ++i) exchange->Write(FormatSseEvent(std::to_string(i)));
  if (path != "/cut") exchange->End();
}

TEST(HttpClientTest, ManyStreamsAtOnce) {
  const auto server = StartServer(TestOptions(), Stream);
  const auto client = NewClient(server->port());
  size_t events = 0;
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    HttpCall call = JsonCall("/" + std::to_string(i), "{}");
    auto seen = std::make_shared<int>(0);
    call.on_event = [&, seen](const SseEvent& event, HttpTime time) {
      EXPECT_EQ(event.data, std::to_string((*seen)++));
      EXPECT_LE(time, TestClock::now());
      ++events;
    };
    call.on_done = [&, seen, i](const HttpReply& reply) {
      EXPECT_TRUE(reply.status.ok()) << reply.status.message();
      EXPECT_EQ(*seen, i);
      EXPECT_EQ(reply.body, "");
      ++done;
    };
    client->Start(std::move(call));
  }
  client->Run();
  EXPECT_EQ(done, 100);
  EXPECT_EQ(events, 99u * 100 / 2);
}

TEST(HttpClientTest, CutOffStreamsAreErrors) {
  const auto server = StartServer(TestOptions(), Stream);
  HttpCall call = GetCall("/cut");
  int events = 0;
  call.on_event = [&](const SseEvent&, HttpTime) { ++events; };
  const HttpReply reply = NewClient(server->port())->Fetch(std::move(call));
  EXPECT_EQ(events, 1);
  EXPECT_EQ(reply.code, 200);
  EXPECT_EQ(reply.status.code(), StatusCode::kIo);
}

TEST(HttpClientTest, TimeoutAndCancel) {
  std::vector<std::shared_ptr<Exchange>> kept;
  std::atomic<int> gone{0};
  const auto server = StartServer(TestOptions(), [&](std::shared_ptr<Exchange> exchange) {
    exchange->OnDisconnect([&] { ++gone; });
    if (exchange->request().path == "/stream") {
      exchange->BeginStream(200, "text/event-stream");
      exchange->Write("data: 1\n\n");
    }
    kept.push_back(exchange);
  });
  const auto client = NewClient(server->port());
  HttpCall slow = GetCall("/");
  slow.timeout = milliseconds(50);
  const HttpReply late = client->Fetch(std::move(slow));
  EXPECT_EQ(late.status.code(), StatusCode::kResource);
  EXPECT_GE(late.done - late.started, milliseconds(50));
  // Cancelled from its own callback.
  HttpCall stream = GetCall("/stream");
  HttpClient::CallId id = 0;
  StatusCode code = StatusCode::kOk;
  stream.on_event = [&](const SseEvent&, HttpTime) { client->Cancel(id); };
  stream.on_done = [&](const HttpReply& reply) { code = reply.status.code(); };
  id = client->Start(std::move(stream));
  client->Run();
  EXPECT_EQ(code, StatusCode::kCancelled);
  client->Cancel(id);
  client->Cancel(12345);
  client->Run();
  EXPECT_TRUE(Eventually([&] { return gone == 2; }));
}

TEST(HttpClientTest, CallsStartedByCallsAndByOtherThreads) {
  const auto server = StartServer(TestOptions(), Echo);
  const auto client = NewClient(server->port());
  int left = 50;
  std::function<void(const HttpReply&)> again = [&](const HttpReply& reply) {
    EXPECT_EQ(reply.code, 200);
    if (--left == 0) return;
    HttpCall next = GetCall("/");
    next.on_done = again;
    client->Start(std::move(next));
  };
  std::thread starter([&] {
    HttpCall first = GetCall("/");
    first.on_done = again;
    client->Start(std::move(first));
  });
  starter.join();
  client->Run();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(server->stats().connections, 1u);
}

TEST(HttpClientTest, Errors) {
  EXPECT_EQ(HttpClient::Create("no such host", 80).status().code(), StatusCode::kInvalidInput);
  EXPECT_EQ(HttpClient::Create("127.0.0.1", 0).status().code(), StatusCode::kInvalidInput);
  int port = 0;
  {
    const auto server = StartServer(TestOptions(), Echo);
    port = server->port();
    HttpCall call = JsonCall("/", std::string(1000, 'x'));
    call.max_body_bytes = 100;
    EXPECT_EQ(NewClient(port)->Fetch(std::move(call)).status.code(), StatusCode::kInvalidInput);
  }
  EXPECT_EQ(NewClient(port)->Fetch(GetCall("/")).status.code(), StatusCode::kIo);
}

struct ParsedResponse {
  Status status;
  int code = 0;
  std::string body;
  bool done = false;
  bool keep_alive = false;
};

ParsedResponse ParseResponse(std::string_view bytes, size_t cut, bool to_head = false) {
  http::ResponseParser parser(to_head);
  ParsedResponse parsed;
  parsed.status = parser.Append(bytes.substr(0, cut), parsed.body);
  if (parsed.status.ok()) parsed.status = parser.Append(bytes.substr(cut), parsed.body);
  if (parsed.status.ok() && !parser.done()) parsed.status = parser.End();
  parsed.code = parser.code();
  parsed.done = parser.done();
  parsed.keep_alive = parser.keep_alive();
  return parsed;
}

TEST(ResponseParserTest, EverySplit) {
  struct Case {
    std::string bytes;
    std::string body;
    bool keep_alive;
  };
  for (const Case& c : {
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", true},
           Case{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                "abc", true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                "abc", true},
           Case{"HTTP/1.0 200 OK\r\n\r\nabc", "abc", false},
           Case{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "", false},
       }) {
    for (size_t cut = 1; cut < c.bytes.size(); ++cut) {
      const ParsedResponse parsed = ParseResponse(c.bytes, cut);
      EXPECT_TRUE(parsed.status.ok()) << c.bytes << cut << parsed.status.message();
      EXPECT_TRUE(parsed.done);
      EXPECT_EQ(parsed.code, 200);
      EXPECT_EQ(parsed.body, c.body) << cut;
      EXPECT_EQ(parsed.keep_alive, c.keep_alive);
    }
  }
  EXPECT_TRUE(ParseResponse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 9, true).done);
  for (const char* bad : {"nonsense\r\n\r\n", "HTTP/1.1 2 OK\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-"
                          "Length: 3\r\n\r\nab",
                          "HTTP/1.1 200"}) {
    EXPECT_FALSE(ParseResponse(bad, 5).status.ok()) << bad;
  }
  EXPECT_FALSE(ParseResponse("HTTP/1.1 200 OK\r\na: " + std::string(70000, 'b'), 100).status.ok());
}

}  // namespace
}  // namespace ringlet
