// Streams, clients that leave, and a server that stops.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/sanitizer.h"
#include "server/http/http_test_util.h"
#include "server/http/server.h"
#include "server/http/sse.h"

namespace ringlet {
namespace {

// A handler that only keeps its exchanges, as an engine does.
class Kept {
 public:
  HttpHandler Handler() {
    return [this](std::shared_ptr<Exchange> exchange) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(exchange));
    };
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }
  std::shared_ptr<Exchange> Next() {
    EXPECT_TRUE(Eventually([&] { return size() > 0; }));
    const std::lock_guard lock(mutex_);
    auto exchange = all_.back();
    all_.pop_back();
    return exchange;
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> all_;
};

TEST(HttpStreamTest, EventsArriveAsTheyAreWritten) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  RawClient client(server->port());
  client.Send(Get("/"));
  const auto exchange = kept.Next();
  EXPECT_FALSE(exchange->answered());
  exchange->BeginStream(200, "text/event-stream", {{"Cache-Control", "no-cache"}});
  EXPECT_TRUE(exchange->answered());
  EXPECT_NE(client.ReadTo("\r\n\r\n").find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    exchange->Write(FormatSseEvent(std::to_string(i)));
    EXPECT_EQ(client.ReadTo("\n\n\r\n"), "9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
  }
  exchange->Write("");  // would end the body
  exchange->End();
  EXPECT_EQ(client.ReadTo("0\r\n\r\n"), "0\r\n\r\n");
  client.Send(Get("/"));
  kept.Next()->Respond(Text("again"));
  EXPECT_EQ(client.ReadResponse().body, "again");
}

enum class Leave { kReset, kClose, kHalfClose };

// The time from the client's leaving to the callback.
milliseconds TimeToNotice(HttpServer& server, Kept& kept, Leave how, bool streaming) {
  RawClient client(server.port());
  client.Send(Get("/"));
  const auto exchange = kept.Next();
  std::atomic<int> calls{0};
  exchange->OnDisconnect([&] { ++calls; });
  if (streaming) {
    exchange->BeginStream(200, "text/event-stream");
    exchange->Write("data: 1\n\n");
    client.ReadTo("data: 1\n\n\r\n");
  }
  const auto start = TestClock::now();
  if (how == Leave::kReset) client.Reset();
  if (how == Leave::kClose) client.Close();
  if (how == Leave::kHalfClose) client.HalfClose();
  EXPECT_TRUE(Eventually([&] { return calls > 0; }));
  const milliseconds noticed = Since(start);
  EXPECT_TRUE(exchange->disconnected());
  // Too late, and harmless.
  if (!streaming) exchange->BeginStream(200, "text/plain");
  exchange->Write("x");
  exchange->End();
  EXPECT_EQ(exchange->unsent_bytes(), 0u);
  EXPECT_EQ(calls, 1);
  return noticed;
}

TEST(HttpStreamTest, LeavingIsNoticedAtOnce) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  for (const Leave how : {Leave::kReset, Leave::kClose, Leave::kHalfClose}) {
    for (const bool streaming : {false, true}) {
      std::vector<milliseconds> times;
      for (int i = 0; i < 9; ++i) times.push_back(TimeToNotice(*server, kept, how, streaming));
      std::sort(times.begin(), times.end());
      EXPECT_LT(times[4].count(), 50);  // the middle one: this machine may be busy
    }
  }
  EXPECT_EQ(server->stats().disconnects, 54u);
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
  EXPECT_EQ(server->stats().active_exchanges, 0u);
}

TEST(HttpStreamTest, LeavingWithPipelinedBytesIsNoticed) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  RawClient client(server->port());
  client.Send(Get("/") + Get("/next") + "GET /half");
  const auto exchange = kept.Next();
  std::atomic<bool> gone{false};
  exchange->OnDisconnect([&] { gone = true; });
  client.Close();
  EXPECT_TRUE(Eventually([&] { return gone.load(); }));
  EXPECT_EQ(kept.size(), 0u) << "what nobody waits for is not begun";
}

TEST(HttpStreamTest, CallbackComesAtOnceWhenTheClientHasGone) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  std::shared_ptr<Exchange> exchange;
  {
    RawClient client(server->port());
    client.Send(Get("/"));
    exchange = kept.Next();
  }
  EXPECT_TRUE(Eventually([&] { return exchange->disconnected(); }));
  int calls = 0;
  exchange->OnDisconnect([&] { ++calls; });
  EXPECT_EQ(calls, 1);
  exchange->Respond(Text("nobody reads this"));
}

TEST(HttpStreamTest, CallbackIsDroppedWhenTheAnswerIsComplete) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  RawClient client(server->port());
  client.Send(Get("/"));
  const auto exchange = kept.Next();
  auto token = std::make_shared<int>(0);
  exchange->OnDisconnect([token] { ++*token; });
  EXPECT_EQ(token.use_count(), 2);
  exchange->Respond(Text("x"));
  EXPECT_EQ(token.use_count(), 1);
  exchange->OnDisconnect([token] { ++*token; });
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(client.ReadResponse().body, "x");
  client.Close();
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
  EXPECT_EQ(*token, 0);
  EXPECT_EQ(server->stats().disconnects, 0u);
}

// Answers race with clients that leave; what matters is that nothing breaks (thread sanitizer).
TEST(HttpStreamTest, AnswersRaceWithLeaving) {
  std::mutex mutex;
  std::vector<std::thread> threads;
  std::atomic<int> gone{0};
  const auto server = StartServer(TestOptions(), [&](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    threads.emplace_back([exchange, &gone] {
      exchange->OnDisconnect([&gone] { ++gone; });
      exchange->BeginStream(200, "text/event-stream");
      for (int i = 0; i < 50 && !exchange->disconnected(); ++i) {
        exchange->Write(FormatSseEvent("x"));
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
      exchange->End();
    });
  });
  for (int i = 0; i < 100; ++i) {
    RawClient client(server->port());
    client.Send(Get("/"));
    if (i % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 30));
    if (i % 3 == 0) client.Reset();
  }
  EXPECT_TRUE(Eventually(
      [&] { return server->stats().connections == 100 && server->stats().open_connections == 0; }));
  {
    const std::lock_guard lock(mutex);
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(server->stats().active_exchanges, 0u);
}

TEST(HttpStreamTest, SlowReaderDoesNotDisturbOthers) {
  HttpServerOptions options = TestOptions();
  options.output_buffer_bytes = 64 << 10;
  Kept kept;
  const auto server = StartServer(options, kept.Handler());
  RawClient slow(server->port(), 4096);
  slow.Send(Get("/"));
  const auto flooded = kept.Next();
  flooded->BeginStream(200, "text/event-stream");
  RawClient fast(server->port());
  fast.Send(Get("/"));
  const auto stream = kept.Next();
  stream->BeginStream(200, "text/event-stream");
  fast.ReadTo("\r\n\r\n");
  milliseconds longest(0);
  for (int i = 0; i < 200; ++i) {
    if (flooded->unsent_bytes() < 512 << 10) flooded->Write(std::string(16384, 'x'));
    const auto start = TestClock::now();
    stream->Write(FormatSseEvent(std::to_string(i)));
    ASSERT_NE(fast.ReadTo("\n\n\r\n").find("data: " + std::to_string(i) + "\n"), std::string::npos);
    longest = std::max(longest, Since(start));
  }
  EXPECT_GT(flooded->unsent_bytes(), 0u) << "the slow one is really stuck";
  EXPECT_FALSE(flooded->disconnected());
  EXPECT_LT(longest, milliseconds(1000));
}

TEST(HttpStreamTest, ManyStreamsAtOnce) {
  constexpr size_t kStreams = kSanitized ? 100 : 300;
  constexpr int kEvents = 20;
  const size_t descriptors = OpenDescriptors();
  {
    Kept kept;
    const auto server = StartServer(TestOptions(), kept.Handler());
    std::vector<RawClient> clients;
    for (size_t i = 0; i < kStreams; ++i) clients.emplace_back(server->port()).Send(Get("/"));
    EXPECT_TRUE(Eventually([&] { return kept.size() == kStreams; }));
    std::vector<std::shared_ptr<Exchange>> streams;
    for (size_t i = 0; i < kStreams; ++i) streams.push_back(kept.Next());
    EXPECT_EQ(server->stats().active_exchanges, kStreams);
    std::thread engine([&] {
      for (const auto& stream : streams) stream->BeginStream(200, "text/event-stream");
      for (int i = 0; i < kEvents; ++i) {
        for (const auto& stream : streams) stream->Write(FormatSseEvent(std::to_string(i)));
      }
      for (const auto& stream : streams) stream->End();
    });
    for (RawClient& client : clients) {
      const std::string all = client.ReadTo("\r\n0\r\n\r\n");
      size_t at = 0;
      for (int i = 0; i < kEvents && at != std::string::npos; ++i) {
        at = all.find("data: " + std::to_string(i) + "\n\n", at);
      }
      ASSERT_NE(at, std::string::npos) << all;
    }
    engine.join();
    EXPECT_TRUE(Eventually([&] { return server->stats().active_exchanges == 0; }));
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

TEST(HttpStreamTest, DroppedStreamIsCutOff) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  RawClient client(server->port());
  client.Send(Get("/"));
  auto exchange = kept.Next();
  exchange->BeginStream(200, "text/plain");
  exchange->Write("part");
  exchange.reset();
  const std::string answer = client.ReadToEnd();
  EXPECT_TRUE(answer.ends_with("4\r\npart\r\n")) << answer;
}

TEST(HttpDrainTest, RunningExchangesGoOn) {
  Kept kept;
  const auto server = StartServer(TestOptions(), kept.Handler());
  RawClient idle(server->port());
  idle.Send(Get("/"));
  kept.Next()->Respond(Text("x"));
  EXPECT_EQ(idle.ReadResponse().body, "x");
  RawClient waiting(server->port());
  waiting.Send(Get("/"));
  const auto unanswered = kept.Next();
  RawClient streaming(server->port());
  streaming.Send(Get("/"));
  const auto stream = kept.Next();
  stream->BeginStream(200, "text/event-stream");
  streaming.ReadTo("\r\n\r\n");

  EXPECT_FALSE(server->Drain(milliseconds(50)));
  EXPECT_TRUE(idle.Closed());
  {
    RawClient late;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_NE(connect(late.socket_number(), reinterpret_cast<sockaddr*>(&address), sizeof address),
              0);
  }
  std::thread engine([&] {
    std::this_thread::sleep_for(milliseconds(50));
    unanswered->Respond(Text("late"));
    stream->Write(FormatSseEvent("last"));
    stream->End();
  });
  EXPECT_TRUE(server->Drain(milliseconds(5000)));
  engine.join();
  const RawResponse response = waiting.ReadResponse();
  EXPECT_EQ(response.body, "late");
  EXPECT_NE(response.head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(waiting.Closed());
  EXPECT_TRUE(streaming.ReadToEnd().ends_with("0\r\n\r\n"));
  EXPECT_TRUE(server->Drain(milliseconds(0))) << "once more is no harm";
}

TEST(HttpDrainTest, DestructionDisconnectsEveryone) {
  const size_t descriptors = OpenDescriptors();
  std::atomic<int> gone{0};
  std::vector<std::shared_ptr<Exchange>> exchanges;
  {
    Kept kept;
    auto server = StartServer(TestOptions(), kept.Handler());
    std::vector<RawClient> clients;
    for (int i = 0; i < 10; ++i) {
      clients.emplace_back(server->port()).Send(Get("/"));
      exchanges.push_back(kept.Next());
      exchanges.back()->OnDisconnect([&] { ++gone; });
      if (i % 2 == 0) exchanges.back()->BeginStream(200, "text/event-stream");
      if (i == 4) exchanges.back()->Write(std::string(1 << 20, 'x'));
    }
    RawClient half(server->port());
    half.Send("GET / HT");
    RawClient idle(server->port());
    const auto start = TestClock::now();
    server.reset();
    EXPECT_LT(Since(start), milliseconds(2000));
    EXPECT_TRUE(half.Closed());
    EXPECT_TRUE(clients[0].Closed());
  }
  EXPECT_EQ(gone, 10);
  // Exchanges outlive the server.
  for (size_t i = 0; i < exchanges.size(); ++i) {
    EXPECT_TRUE(exchanges[i]->disconnected());
    if (i % 2 == 0) {
      exchanges[i]->Write("x");
    } else {
      exchanges[i]->Respond(Text("x"));
    }
  }
  exchanges.clear();
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

TEST(HttpDrainTest, DescriptorsComeBack) {
  const size_t before = OpenDescriptors();
  {
    HttpServerOptions options = TestOptions();
    options.linger = milliseconds(50);
    const auto server = StartServer(options, Echo);
    const size_t listening = OpenDescriptors();
    for (int i = 0; i < 50; ++i) {
      RawClient client(server->port());
      if (i % 5 == 0) continue;
      client.Send(i % 5 == 1 ? "GET" : i % 5 == 2 ? "nonsense\r\n\r\n" : Get("/"));
      if (i % 5 == 3) client.ReadResponse();
      if (i % 2 == 0) client.Reset();
    }
    EXPECT_TRUE(Eventually([&] {
      return server->stats().connections == 50 && server->stats().open_connections == 0;
    })) << server->stats().open_connections;
    EXPECT_EQ(OpenDescriptors(), listening);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace ringlet
