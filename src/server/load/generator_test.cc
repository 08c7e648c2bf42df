#include "server/load/generator.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "server/http/server.h"
#include "server/http/sse.h"

namespace ringlet {
namespace {

using std::chrono::milliseconds;

// A server that answers after known delays: the first token after 40 ms, then one every 10 ms.
class FakeServer {
 public:
  static constexpr milliseconds kFirst{40};
  static constexpr milliseconds kNext{10};

  FakeServer() {
    HttpServerOptions options;
    options.port = 0;
    server_ = std::move(HttpServer::Listen(options, [this](std::shared_ptr<Exchange> exchange) {
                Handle(std::move(exchange));
              })).value();
  }
  ~FakeServer() {
    server_.reset();
    for (std::thread& thread : threads_) thread.join();
  }

  ServerUrl url() const { return {"127.0.0.1", server_->port(), "/base"}; }
  // Of every request that asked for an answer, in their order.
  std::vector<Json> bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  int most_at_once() const { return most_; }

  std::string key;       // wanted, if any
  int refuse_every = 0;  // so many
  int fail_every = 0;
  bool can_tokenize = true;

 private:
  void Handle(std::shared_ptr<Exchange> exchange) {
    const HttpRequest& request = exchange->request();
    if (!key.empty() && request.Header("Authorization") != "Bearer " + key) {
      return exchange->Respond(HttpError(401, "no key"));
    }
    if (request.path == "/base/v1/models")
      return Json200(*exchange, {{"data", {{{"id", "fake"}}}}});
    if (request.path == "/base/tokenize" && can_tokenize) {
      return Json200(*exchange, {{"tokens", {7, 8}}});
    }
    if (request.path != "/base/v1/completions") return exchange->Respond(HttpError(404, "no"));
    Json body = *ParseJson(request.body, "body");
    const int index = ++count_;
    const auto tokens = body["max_tokens"].get<int>();
    {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(std::move(body));
    }
    if (refuse_every > 0 && index % refuse_every == 0) {
      return exchange->Respond(HttpError(429, "full"));
    }
    if (fail_every > 0 && index % fail_every == 0) return exchange->Respond(HttpError(500, "bad"));
    most_ = std::max(most_.load(), ++at_once_);
    threads_.emplace_back(
        [this, exchange = std::move(exchange), tokens] { Answer(*exchange, tokens); });
  }

  void Answer(Exchange& exchange, int tokens) {
    exchange.BeginStream(200, "text/event-stream");
    for (int i = 0; i < tokens; ++i) {
      std::this_thread::sleep_for(i == 0 ? kFirst : kNext);
      exchange.Write(FormatSseEvent(R"({"choices":[{"text":"x"}]})"));
    }
    exchange.Write(FormatSseEvent(fmt::format(
        R"({{"choices":[],"usage":{{"prompt_tokens":20,"completion_tokens":{}}}}})", tokens)));
    --at_once_;
    exchange.Write(FormatSseEvent("[DONE]"));
    exchange.End();
  }

  static void Json200(Exchange& exchange, const Json& json) {
    HttpResponse response;
    response.content_type = "application/json";
    response.body = json.dump();
    exchange.Respond(std::move(response));
  }

  std::unique_ptr<HttpServer> server_;
  std::vector<std::thread> threads_;  // I/O thread only
  std::mutex mutex_;
  std::vector<Json> bodies_;
  std::atomic<int> count_{0}, at_once_{0}, most_{0};
};

LoadTestOptions Options() {
  LoadTestOptions options;
  options.prompt_tokens = {20, 20};
  options.answer_tokens = {3, 3};
  options.requests = 12;
  return options;
}

LoadResult Load(const FakeServer& server, const LoadTestOptions& options,
                const LoadWatch& watch = {}) {
  Result<LoadResult> result = RunLoad(server.url(), options, watch);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? *std::move(result) : LoadResult{};
}

int Count(const LoadResult& result, LoadSample::Outcome outcome) {
  return static_cast<int>(std::ranges::count(result.samples, outcome, &LoadSample::outcome));
}

TEST(LoadGenerator, AClosedLoopKeepsSoManyUnderWay) {
  FakeServer server;
  LoadTestOptions options = Options();
  options.concurrency = 3;
  const LoadResult result = Load(server, options);
  EXPECT_EQ(Count(result, LoadSample::Outcome::kCompleted), 12);
  EXPECT_EQ(server.most_at_once(), 3);
  EXPECT_EQ(result.model, "fake");
  // Four rounds of 60 ms, on a machine that may be busy.
  EXPECT_GE(result.seconds, 0.24);
  EXPECT_LT(result.seconds, 5);
}

TEST(LoadGenerator, TimesAreThoseOfTheServer) {
  FakeServer server;
  LoadTestOptions options = Options();
  options.concurrency = 2;
  for (const LoadSample& sample : Load(server, options).samples) {
    EXPECT_GE(sample.first_token, 0.040);
    EXPECT_LT(sample.first_token, 2);
    ASSERT_LE(sample.gaps.size(), 2u);
    double gaps = 0;
    for (const double gap : sample.gaps) gaps += gap;
    EXPECT_GE(sample.first_token + gaps, 0.060);
    EXPECT_GE(sample.latency, sample.first_token + gaps);
    EXPECT_EQ(sample.prompt_tokens, 20);
    EXPECT_EQ(sample.answer_tokens, 3);
  }
}

TEST(LoadGenerator, AnOpenLoopDoesNotWaitForAnswers) {
  FakeServer server;
  LoadTestOptions options = Options();
  options.rate = 100;  // 12 requests in 110 ms, each of which takes 60 ms
  options.arrivals = LoadTestOptions::Arrivals::kConstant;
  const LoadResult result = Load(server, options);
  EXPECT_EQ(Count(result, LoadSample::Outcome::kCompleted), 12);
  EXPECT_GE(server.most_at_once(), 4);
  EXPECT_GE(result.seconds, 0.17);
}

TEST(LoadGenerator, ADurationEndsTheLoad) {
  for (const double rate : {0.0, 40.0}) {
    FakeServer server;
    LoadTestOptions options = Options();
    options.requests = 0;
    options.seconds = 0.3;
    options.rate = rate;
    const LoadResult result = Load(server, options);
    EXPECT_GE(result.samples.size(), 4u) << rate;
    EXPECT_LE(result.samples.size(), 60u) << rate;
    EXPECT_EQ(Count(result, LoadSample::Outcome::kCompleted), std::ssize(result.samples));
    EXPECT_LT(result.seconds, 5) << rate;
  }
}

TEST(LoadGenerator, RefusalsAndFailuresAreTold) {
  FakeServer server;
  server.refuse_every = 4;
  server.fail_every = 6;
  const LoadResult result = Load(server, Options());
  EXPECT_EQ(Count(result, LoadSample::Outcome::kRefused), 3);
  EXPECT_EQ(Count(result, LoadSample::Outcome::kFailed), 1);  // the sixth; the twelfth was refused
  EXPECT_EQ(Count(result, LoadSample::Outcome::kCompleted), 8);
}

TEST(LoadGenerator, WarmingUpIsNotCounted) {
  FakeServer server;
  LoadTestOptions options = Options();
  options.requests = 4;
  options.warmup = 5;
  EXPECT_EQ(Load(server, options).samples.size(), 4u);
  const std::vector<Json> bodies = server.bodies();
  ASSERT_EQ(bodies.size(), 9u);
  // Nor does it warm a cache with the prompts that follow.
  for (size_t i = 0; i < 5; ++i) {
    for (size_t k = 5; k < 9; ++k) EXPECT_NE(bodies[i]["seed"], bodies[k]["seed"]);
  }
}

TEST(LoadGenerator, TheWatchEndsTheLoad) {
  FakeServer server;
  LoadTestOptions options = Options();
  options.requests = 1000000;
  int calls = 0;
  const LoadResult result = Load(server, options, [&](const LoadProgress& progress) {
    EXPECT_LE(progress.under_way, 4);
    return ++calls < 3;
  });
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(calls, 3);
  EXPECT_LT(result.samples.size(), 1000u);
}

TEST(LoadGenerator, KeysAreSent) {
  FakeServer server;
  server.key = "secret";
  LoadTestOptions options = Options();
  const Result<LoadResult> without = RunLoad(server.url(), options, {});
  ASSERT_FALSE(without.ok());
  EXPECT_EQ(without.status().message(),
            "GET /base/v1/models: found HTTP 401, \"no key\", expected 200");
  options.api_key = "secret";
  EXPECT_EQ(Count(Load(server, options), LoadSample::Outcome::kCompleted), 12);
}

TEST(LoadGenerator, ServersThatCannotTokenizeAreNamed) {
  FakeServer server;
  server.can_tokenize = false;
  const Result<LoadResult> result = RunLoad(server.url(), Options(), {});
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.status().message().starts_with("POST /base/tokenize: found HTTP 404"));
}

TEST(LoadGenerator, NoServerIsAnError) {
  int port = 0;
  {
    FakeServer server;
    port = server.url().port;
  }
  const Result<LoadResult> result = RunLoad({"127.0.0.1", port, ""}, Options(), {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kIo) << result.status().message();
}

}  // namespace
}  // namespace ringlet
