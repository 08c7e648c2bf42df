#include "server/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "base/json.h"
#include "server/http/http_test_util.h"
#include "server/http/malformed_requests.h"

namespace ringlet {
namespace {

TEST(HttpServerTest, AnswersOnOneConnection) {
  const auto server = StartServer(TestOptions(), Echo);
  RawClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    const RawResponse response = client.Ask(Post("/a?b", "body"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST /a?b body");
    EXPECT_NE(response.head.find("Content-Type: text/plain\r\n"), std::string::npos);
    EXPECT_NE(response.head.find("Date: "), std::string::npos);
    EXPECT_EQ(response.head.find("Connection: close"), std::string::npos);
  }
  const HttpServerStats stats = server->stats();
  EXPECT_EQ(stats.connections, 1u);
  EXPECT_EQ(stats.requests, 3u);
  EXPECT_EQ(stats.open_connections, 1u);
  EXPECT_TRUE(Eventually([&] { return server->stats().active_exchanges == 0; }));
}

TEST(HttpServerTest, ErrorsOfListening) {
  const auto server = StartServer(TestOptions(), Echo);
  HttpServerOptions options;
  options.port = server->port();
  EXPECT_EQ(HttpServer::Listen(options, Echo).status().code(), StatusCode::kIo);
  options.port = 70000;
  EXPECT_EQ(HttpServer::Listen(options, Echo).status().code(), StatusCode::kInvalidInput);
  options.port = 0;
  options.host = "not an address";
  EXPECT_EQ(HttpServer::Listen(options, Echo).status().code(), StatusCode::kInvalidInput);
}

TEST(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  // The first is answered last, from another thread.
  std::thread late;
  const auto server = StartServer(TestOptions(), [&](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path != "/0") return Echo(exchange);
    late = std::thread([exchange] {
      std::this_thread::sleep_for(milliseconds(50));
      Echo(exchange);
    });
  });
  RawClient client(server->port());
  std::string all;
  for (int i = 0; i < 2000; ++i) all += Get("/" + std::to_string(i));  // more than is read ahead
  std::thread writer([&] { client.Send(all); });
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(client.ReadResponse().body, "GET /" + std::to_string(i) + "? ");
  }
  writer.join();
  late.join();
}

TEST(HttpServerTest, EveryCutOfTheBytes) {
  const auto server = StartServer(TestOptions(), Echo);
  const std::string request = Post("/", "ab") + Get("/x");
  for (size_t cut = 1; cut < request.size(); ++cut) {
    RawClient client(server->port());
    client.Send(request.substr(0, cut));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    client.Send(request.substr(cut));
    EXPECT_EQ(client.ReadResponse().body, "POST /? ab");
    EXPECT_EQ(client.ReadResponse().body, "GET /x? ");
  }
}

TEST(HttpServerTest, HeadHasNoBody) {
  const auto server = StartServer(TestOptions(), [](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path == "/") return Echo(exchange);
    exchange->BeginStream(200, "text/event-stream");
    exchange->Write("data: x\n\n");
    exchange->End();
  });
  RawClient client(server->port());
  client.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" +
              Get("/"));
  EXPECT_NE(client.ReadResponse(true).head.find("Content-Length: 8\r\n"), std::string::npos);
  EXPECT_NE(client.ReadResponse(true).head.find("Transfer-Encoding: chunked\r\n"),
            std::string::npos);
  EXPECT_EQ(client.ReadResponse().body, "GET /? ");
}

TEST(HttpServerTest, ChunkedAndLargeBodies) {
  const auto server = StartServer(TestOptions(), [](std::shared_ptr<Exchange> exchange) {
    exchange->Respond(Text(exchange->request().body));
  });
  RawClient client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.Send("1\r\nd\r\n0\r\n\r\n");
  EXPECT_EQ(client.ReadResponse().body, "abcd");
  std::string body(5 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  std::thread writer([&] { client.Send(Post("/", body)); });
  EXPECT_TRUE(client.ReadResponse().body == body);
  writer.join();
}

TEST(HttpServerTest, StatusesWithoutBody) {
  const auto server = StartServer(TestOptions(), [](std::shared_ptr<Exchange> exchange) {
    HttpResponse response = Text("left out");
    response.status = exchange->request().path == "/204" ? 204 : 304;
    exchange->Respond(std::move(response));
  });
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Get("/204")).head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(client.Ask(Get("/304")).status, 304);
  EXPECT_EQ(client.Ask(Get("/204")).status, 204);
}

TEST(HttpServerTest, OldClientsGetNoChunks) {
  const auto server = StartServer(TestOptions(), [](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path == "/") return Echo(exchange);
    exchange->BeginStream(200, "text/event-stream");
    exchange->Write("data: 1\n\n");
    exchange->Write("data: 2\n\n");
    exchange->End();
  });
  RawClient plain(server->port());
  plain.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string answer = plain.ReadToEnd();
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /? "));
  RawClient stream(server->port());
  stream.Send("GET /stream HTTP/1.0\r\n\r\n");
  const std::string events = stream.ReadToEnd();
  EXPECT_EQ(events.find("chunked"), std::string::npos);
  EXPECT_NE(events.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(events.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\n"));
}

TEST(HttpServerTest, ClosesWhenAsked) {
  const auto server = StartServer(TestOptions(), Echo);
  RawClient client(server->port());
  const RawResponse response = client.Ask(Get("/", "Connection: close\r\n"));
  EXPECT_NE(response.head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.Closed());
}

// A client that has said all still gets what is answered at once.
TEST(HttpServerTest, HalfCloseAfterTheRequest) {
  const auto server = StartServer(TestOptions(), Echo);
  for (int i = 0; i < 20; ++i) {
    RawClient client(server->port());
    client.Send(Get("/"));
    client.HalfClose();
    EXPECT_TRUE(client.ReadToEnd().ends_with("GET /? "));
  }
}

TEST(HttpServerTest, Continue) {
  HttpServerOptions options = TestOptions();
  options.max_body_bytes = 100;
  options.authorize = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.path == "/no") return HttpError(401, "no");
    return std::nullopt;
  };
  const auto server = StartServer(options, Echo);
  const auto head = [](const std::string& path, const std::string& length) {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + length +
           "\r\n\r\n";
  };
  RawClient client(server->port());
  for (const std::string length : {"Content-Length: 3", "Transfer-Encoding: chunked"}) {
    EXPECT_EQ(client.Ask(head("/", length)).head, "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(client.Ask(length[0] == 'C' ? "abc" : "3\r\nabc\r\n0\r\n\r\n").body, "POST /? abc");
  }
  EXPECT_EQ(client.Ask(head("/", "Content-Length: 3") + "abc").status, 200) << "not waiting";
  EXPECT_EQ(client.Ask(head("/", "Content-Length: 101")).status, 413);
  EXPECT_EQ(RawClient(server->port()).Ask(head("/no", "Content-Length: 3")).status, 401);
}

TEST(HttpServerTest, AuthorizesBeforeTheBody) {
  std::atomic<int> handled{0};
  HttpServerOptions options = TestOptions();
  options.authorize = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    EXPECT_TRUE(request.body.empty());
    EXPECT_TRUE(request.remote.starts_with("127.0.0.1:"));
    if (request.path == "/throw") throw std::runtime_error("x");
    if (request.Header("Authorization") == "Bearer k") return std::nullopt;
    HttpResponse response = HttpError(401, "no key");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  };
  const auto server = StartServer(options, [&](std::shared_ptr<Exchange> exchange) {
    ++handled;
    Echo(exchange);
  });
  RawClient client(server->port());
  // The body never comes, is too long and would be malformed.
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n");
  const RawResponse refused = client.ReadResponse();
  EXPECT_EQ(refused.status, 401);
  EXPECT_NE(refused.head.find("WWW-Authenticate: Bearer\r\n"), std::string::npos);
  EXPECT_TRUE(client.Closed());
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/throw")).status, 500);
  EXPECT_EQ(handled, 0);
  RawClient allowed(server->port());
  EXPECT_EQ(allowed.Ask(Post("/", "x", "authorization: Bearer k\r\n")).status, 200);
  EXPECT_EQ(handled, 1);
}

TEST(HttpServerTest, HandlersThatFail) {
  std::shared_ptr<Exchange> kept;
  const auto server = StartServer(TestOptions(), [&](std::shared_ptr<Exchange> exchange) {
    const std::string& path = exchange->request().path;
    if (path == "/throw") throw std::runtime_error("secret");
    if (path == "/throw-int") throw 7;
    if (path == "/throw-kept") {
      kept = exchange;
      throw std::runtime_error("x");
    }
    if (path == "/stream-throw") {
      exchange->BeginStream(200, "text/plain");
      exchange->Write("begun");
      throw std::runtime_error("x");
    }
    if (path == "/ok") Echo(exchange);
  });
  RawClient client(server->port());
  for (const char* path : {"/throw", "/throw-int", "/forgotten", "/throw-kept"}) {
    const RawResponse response = client.Ask(Get(path));
    EXPECT_EQ(response.status, 500) << path;
    const auto json = ParseJson(response.body, "body");
    ASSERT_TRUE(json.ok()) << response.body;
    EXPECT_EQ(json.value()["error"]["type"], "server_error");
    EXPECT_EQ(response.body.find("secret"), std::string::npos);
  }
  kept->Respond(Text("too late, and ignored"));
  kept.reset();
  EXPECT_EQ(client.Ask(Get("/ok")).status, 200);
  client.Send(Get("/stream-throw"));
  const std::string cut = client.ReadToEnd();
  EXPECT_NE(cut.find("begun"), std::string::npos);
  EXPECT_FALSE(cut.ends_with("0\r\n\r\n")) << "the client must see that it is not whole";
  EXPECT_EQ(server->stats().handler_errors, 4u);
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/ok")).status, 200);
}

TEST(HttpServerTest, HeadersOfAnswersCannotBeSplit) {
  const auto server = StartServer(TestOptions(), [](std::shared_ptr<Exchange> exchange) {
    exchange->AddHeader("X-Extra", "1");
    HttpResponse response = Text("body");
    response.headers = {{"X-Value", "a\r\nSet-Cookie: b\n\r\n\r\nc"},
                        {"X Name", "d"},
                        {"Content-Length", "99"},
                        {"transfer-encoding", "chunked"},
                        {"", "e"}};
    exchange->Respond(std::move(response));
  });
  RawClient client(server->port());
  const RawResponse response = client.Ask(Get("/"));
  EXPECT_EQ(response.body, "body");
  EXPECT_NE(response.head.find("X-Value: a  Set-Cookie: b     c\r\n"), std::string::npos)
      << response.head;
  EXPECT_NE(response.head.find("X-Extra: 1\r\n"), std::string::npos);
  for (const char* absent : {"\nSet-Cookie", "X Name", "99", "chunked", "\n: e"}) {
    EXPECT_EQ(response.head.find(absent), std::string::npos) << absent;
  }
}

TEST(HttpServerTest, MalformedRequestsAreRefusedAndTheConnectionCloses) {
  std::atomic<int> handled{0};
  const auto server = StartServer(TestOptions(), [&](std::shared_ptr<Exchange> exchange) {
    ++handled;
    Echo(exchange);
  });
  const auto cases = MalformedRequests();
  for (const MalformedRequest& bad : cases) {
    RawClient client(server->port());
    client.Send(bad.bytes);
    // What follows on the connection is not read as a request.
    client.Send(Get("/smuggled"));
    const std::string answer = client.ReadToEnd();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status))) << bad.name << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << bad.name;
    EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos) << bad.name << " was answered twice";
    const size_t body = answer.find("\r\n\r\n");
    ASSERT_NE(body, std::string::npos);
    EXPECT_TRUE(ParseJson(answer.substr(body + 4), "body").ok()) << bad.name;
  }
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(server->stats().refused_requests, cases.size());
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/")).status, 200);
}

}  // namespace
}  // namespace ringlet
