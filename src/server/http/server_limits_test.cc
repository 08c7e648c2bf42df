// Every limit of the server, with its time shortened.
#include <fcntl.h>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "server/http/http_test_util.h"
#include "server/http/server.h"

namespace ringlet {
namespace {

// Long enough that a busy machine does not make an honest client late.
constexpr milliseconds kShort(150);

TEST(HttpLimitsTest, HeadThatDoesNotArrive) {
  HttpServerOptions options = TestOptions();
  options.header_timeout = kShort;
  const auto server = StartServer(options, Echo);
  const auto start = TestClock::now();
  RawClient silent(server->port());
  RawClient slow(server->port());
  // A byte now and then does not help.
  std::string answer;
  for (const char byte : Get("/")) {
    if (!slow.Send({&byte, 1}) || slow.Receive(milliseconds(20))) break;
  }
  answer = slow.ReadToEnd();
  EXPECT_GE(Since(start), kShort);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_EQ(silent.ReadToEnd(), "") << "who says nothing is told nothing";
  EXPECT_TRUE(silent.Closed());
  EXPECT_EQ(server->stats().timeouts, 1u);
}

TEST(HttpLimitsTest, ManySlowHeadsDoNotDelayOthers) {
  HttpServerOptions options = TestOptions();
  options.header_timeout = milliseconds(20000);
  const auto server = StartServer(options, Echo);
  std::vector<RawClient> slow;
  for (int i = 0; i < 200; ++i) slow.emplace_back(server->port()).Send("GET / HTTP/1.1\r\nHost");
  const auto start = TestClock::now();
  RawClient client(server->port());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.Ask(Get("/")).status, 200);
    slow[static_cast<size_t>(i)].Send(":");
  }
  EXPECT_LT(Since(start), milliseconds(2000));
}

TEST(HttpLimitsTest, BodyThatDoesNotArrive) {
  HttpServerOptions options = TestOptions();
  options.body_timeout = kShort;
  const auto server = StartServer(options, Echo);
  for (const std::string head : {"Content-Length: 100", "Transfer-Encoding: chunked"}) {
    RawClient client(server->port());
    const auto start = TestClock::now();
    client.Send("POST / HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\n");
    if (head[0] == 'T') client.Send("3\r\nab");
    EXPECT_TRUE(client.ReadToEnd().starts_with("HTTP/1.1 408 "));
    EXPECT_GE(Since(start), kShort);
  }
}

// Bytes buy time at the minimum rate, and no more than that.
TEST(HttpLimitsTest, BodyHasAMinimumRate) {
  HttpServerOptions options = TestOptions();
  options.body_timeout = milliseconds(50);
  options.min_bytes_per_second = 1000;
  const auto server = StartServer(options, Echo);
  const auto start = TestClock::now();
  RawClient fast(server->port());
  fast.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1000, 'x'));
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(fast.Ask("y").status, 200);
  RawClient slow(server->port());
  slow.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(200, 'x'));
  const auto slow_start = TestClock::now();
  EXPECT_EQ(slow.ReadResponse().status, 408);
  EXPECT_GE(Since(slow_start), milliseconds(240));
  EXPECT_LT(Since(start), milliseconds(5000));
}

TEST(HttpLimitsTest, IdleConnectionsClose) {
  HttpServerOptions options = TestOptions();
  options.idle_timeout = kShort;
  const auto server = StartServer(options, Echo);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Get("/")).status, 200);
  const auto start = TestClock::now();
  EXPECT_TRUE(client.Closed());
  EXPECT_GE(Since(start), kShort - milliseconds(10));
  EXPECT_EQ(client.received(), "");
}

TEST(HttpLimitsTest, ConnectionsBeyondTheLimitGet503) {
  HttpServerOptions options = TestOptions();
  options.max_connections = 2;
  const auto server = StartServer(options, Echo);
  RawClient first(server->port());
  EXPECT_EQ(first.Ask(Get("/")).status, 200);
  {
    RawClient second(server->port());
    EXPECT_EQ(second.Ask(Get("/")).status, 200);
    std::vector<RawClient> more;
    for (int i = 0; i < 100; ++i) more.emplace_back(server->port());  // more than are told at once
    const RawResponse refused = more[0].Ask(Get("/"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.head.find("Retry-After: 1\r\n"), std::string::npos);
    EXPECT_TRUE(more[0].Closed());
    EXPECT_EQ(second.Ask(Get("/")).status, 200);
  }
  EXPECT_TRUE(Eventually([&] { return RawClient(server->port()).Ask(Get("/")).status == 200; }));
  EXPECT_GE(server->stats().refused_connections, 1u);
}

// The client still sends when it is refused: it must get to read why.
TEST(HttpLimitsTest, RefusalsOfLongBodiesArriveWhole) {
  HttpServerOptions options = TestOptions();
  options.max_body_bytes = 1000;
  options.linger = milliseconds(5000);
  const auto server = StartServer(options, Echo);
  for (int i = 0; i < 5; ++i) {
    RawClient client(server->port());
    bool sent = false;
    std::thread writer([&] { sent = client.Send(Post("/", std::string(3 << 20, 'x'))); });
    const RawResponse response = client.ReadResponse();
    EXPECT_EQ(response.status, 413);
    EXPECT_TRUE(response.body.ends_with("}}"));
    writer.join();
    EXPECT_TRUE(sent);
    EXPECT_TRUE(client.Closed());
    EXPECT_FALSE(client.was_reset()) << "a reset can overtake the answer";
  }
}

// Writes to a client that does not read, until that is noticed; says how long it took.
class StalledStream {
 public:
  explicit StalledStream(HttpServerOptions options) {
    server_ = StartServer(options, [&](std::shared_ptr<Exchange> exchange) {
      exchange->OnDisconnect([&] { gone_ = true; });
      exchange->BeginStream(200, "text/plain");
      const std::lock_guard lock(mutex_);
      exchange_ = exchange;
    });
    client_ = std::make_unique<RawClient>(server_->port(), 4096);
    client_->Send(Get("/"));
    EXPECT_TRUE(Eventually([&] { return exchange() != nullptr; }));
  }
  std::shared_ptr<Exchange> exchange() {
    const std::lock_guard lock(mutex_);
    return exchange_;
  }
  // Fills what the kernel takes, then leaves `bytes` waiting, more than the I/O thread has yet to
  // see.
  void Fill(size_t bytes) {
    ASSERT_GT(bytes, 32768u);
    EXPECT_TRUE(Eventually([&] {
      exchange()->Write(std::string(16384, 'x'));
      std::this_thread::sleep_for(milliseconds(1));
      return exchange()->unsent_bytes() >= bytes || gone_;
    }));
  }
  bool gone() const { return gone_; }
  HttpServer& server() { return *server_; }
  RawClient& client() { return *client_; }

 private:
  std::mutex mutex_;
  std::shared_ptr<Exchange> exchange_;
  std::atomic<bool> gone_{false};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<RawClient> client_;
};

TEST(HttpLimitsTest, StalledReaderIsDisconnected) {
  HttpServerOptions options = TestOptions();
  options.write_stall = milliseconds(300);
  StalledStream stream(options);
  stream.Fill(64 << 10);
  const auto start = TestClock::now();
  EXPECT_TRUE(Eventually([&] { return stream.gone(); }));
  EXPECT_GE(Since(start), milliseconds(200));
  EXPECT_TRUE(stream.exchange()->disconnected());
  EXPECT_EQ(stream.exchange()->unsent_bytes(), 0u);
  EXPECT_EQ(stream.server().stats().stalls, 1u);
  stream.exchange()->Write("nobody reads this");
  stream.exchange()->End();
}

// Reading a little all the time is no excuse while more than the buffer waits.
TEST(HttpLimitsTest, TricklingReaderIsDisconnected) {
  HttpServerOptions options = TestOptions();
  options.write_stall = milliseconds(400);
  options.output_buffer_bytes = 64 << 10;
  StalledStream stream(options);
  stream.Fill(options.output_buffer_bytes + 1);
  const auto start = TestClock::now();
  while (!stream.gone() && Since(start) < milliseconds(5000)) {
    if (stream.exchange()->unsent_bytes() <= 200 << 10) {
      stream.exchange()->Write(std::string(32768, 'x'));
    }
    char byte[2048];
    if (recv(stream.client().socket_number(), byte, sizeof byte, MSG_DONTWAIT) == 0) break;
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(Eventually([&] { return stream.gone(); }));
  EXPECT_GE(Since(start), milliseconds(300));
  EXPECT_LT(Since(start), milliseconds(4000));
}

TEST(HttpLimitsTest, OverflowNeedsNoTime) {
  HttpServerOptions options = TestOptions();
  options.output_buffer_bytes = 16 << 10;  // 16 times as much ends it, long before a stall of 30 s
  StalledStream stream(options);
  const auto start = TestClock::now();
  size_t most = 0;
  while (!stream.gone() && Since(start) < milliseconds(5000)) {
    stream.exchange()->Write(std::string(8192, 'x'));
    most = std::max(most, stream.exchange()->unsent_bytes());
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  EXPECT_TRUE(stream.gone());
  EXPECT_GE(most, options.output_buffer_bytes * 8);
  EXPECT_LE(most, options.output_buffer_bytes * 64);
}

TEST(HttpLimitsTest, SilentStreamsOfEventsAreKeptAlive) {
  HttpServerOptions options = TestOptions();
  options.keep_alive_comment = milliseconds(60);
  std::shared_ptr<Exchange> kept;
  const auto server = StartServer(options, [&](std::shared_ptr<Exchange> exchange) {
    const std::string& path = exchange->request().path;
    exchange->BeginStream(200, path == "/text" ? "text/plain" : "text/event-stream; charset=utf-8");
    if (path == "/half") exchange->Write("data: ha");
    if (path == "/whole") exchange->Write("data: 1\n\n");
    kept = exchange;
  });
  const std::string comment = "e\r\n: keep-alive\n\n\r\n";
  for (const char* path : {"/silent", "/whole"}) {
    RawClient client(server->port());
    client.Send(Get(path));
    EXPECT_TRUE(client.ReadTo(comment).ends_with(comment)) << path;
    EXPECT_EQ(client.ReadTo(comment), comment) << path;
  }
  for (const char* path : {"/half", "/text"}) {
    RawClient client(server->port());
    client.Send(Get(path));
    EXPECT_EQ(client.ReadTo("keep-alive", milliseconds(200)).find("keep-alive"), std::string::npos)
        << path;
  }
}

class DescriptorLimit {
 public:
  DescriptorLimit() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &low);
    for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = dup(fd)) taken_.push_back(fd);
  }
  ~DescriptorLimit() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_;
  std::vector<int> taken_;
};

TEST(HttpLimitsTest, GoesOnWhenDescriptorsAreFreeAgain) {
  const auto server = StartServer(TestOptions(), Echo);
  RawClient open(server->port());
  EXPECT_EQ(open.Ask(Get("/")).status, 200);
  RawClient waiting;
  {
    const DescriptorLimit none_left;
    waiting.Connect(server->port());
    EXPECT_TRUE(Eventually([&] { return server->stats().accept_pauses >= 2; }));
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_LT(server->stats().accept_pauses, 50u) << "it must wait, not spin";
    EXPECT_EQ(open.Ask(Get("/")).status, 200);
  }
  EXPECT_EQ(waiting.Ask(Get("/")).status, 200);
}

}  // namespace
}  // namespace ringlet
