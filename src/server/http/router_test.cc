#include "server/http/router.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "server/http/exchange_core.h"

namespace ringlet {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    Add("GET", "/v1/models");
    Add("GET", "/v1/models/{id...}");
    Add("POST", "/v1/chat/completions");
    Add("GET", "/v1/batches/{id}");
    Add("POST", "/v1/batches/{id}/cancel");
    Add("DELETE", "/v1/batches/{id}");
  }

  void Add(const std::string& method, const std::string& pattern) {
    router_.Add(method, pattern,
                [=](std::shared_ptr<Exchange> exchange, const RouteValues& values) {
                  HttpResponse response;
                  response.body = method + " " + pattern;
                  for (const std::string& value : values) response.body += " [" + value + "]";
                  exchange->Respond(std::move(response));
                });
  }

  http::AnswerPart Ask(std::string method, std::string path, HttpHeaders headers = {}) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    auto core = std::make_shared<http::ExchangeCore>(std::move(request), [] {});
    router_.Handle(std::make_shared<Exchange>(core));
    return core->Take();
  }
  std::string Body(std::string method, std::string path) {
    return Ask(std::move(method), std::move(path)).bytes;
  }

  HttpRouter router_;
};

TEST_F(RouterTest, FindsRoutes) {
  EXPECT_EQ(Body("GET", "/v1/models"), "GET /v1/models");
  EXPECT_EQ(Body("HEAD", "/v1/models"), "GET /v1/models");
  EXPECT_EQ(Body("GET", "/v1/models/a"), "GET /v1/models/{id...} [a]");
  EXPECT_EQ(Body("GET", "/v1/models/org/a%20b"), "GET /v1/models/{id...} [org/a b]");
  EXPECT_EQ(Body("GET", "/v1/models/org%2Fa"), "GET /v1/models/{id...} [org/a]");
  EXPECT_EQ(Body("POST", "/v1/batches/7/cancel"), "POST /v1/batches/{id}/cancel [7]");
  EXPECT_EQ(Body("DELETE", "/v1/batches/a%2Fb"), "DELETE /v1/batches/{id} [a/b]");
  EXPECT_EQ(Body("POST", "/v1/ch%61t/completions"), "POST /v1/chat/completions");
}

TEST_F(RouterTest, UnknownPaths) {
  for (const char* path :
       {"/", "", "*", "/v1", "/v1/", "/v1/models/", "//v1/models", "/v1//models", "/v1/Models",
        "/v1/batches/", "/v1/batches/1/", "/v1/batches/1/cancel/x", "/v1%2Fmodels", "/v1/models/%",
        "/v1/models/%zz", "/v1/models/%00", "/v1/./models", "/v1/models/../models"}) {
    const http::AnswerPart answer = Ask("GET", path);
    if (std::string_view(path) == "/v1/models/../models") {
      EXPECT_EQ(answer.bytes, "GET /v1/models/{id...} [../models]") << "a name, never a path";
      continue;
    }
    EXPECT_EQ(answer.head.status, 404) << path;
    const auto json = ParseJson(answer.bytes, "body");
    ASSERT_TRUE(json.ok());
    const Json& error = json.value().at("error");
    EXPECT_EQ(error.at("code"), "not_found");
    EXPECT_EQ(error.at("type"), "invalid_request_error");
    EXPECT_TRUE(error.at("param").is_null());
    EXPECT_TRUE(error.at("message").is_string());
  }
}

TEST_F(RouterTest, OtherMethods) {
  const http::AnswerPart answer = Ask("PUT", "/v1/batches/1");
  EXPECT_EQ(answer.head.status, 405);
  EXPECT_EQ(FindHeader(answer.head.headers, "Allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(Ask("get", "/v1/models").head.status, 405);
  EXPECT_EQ(Ask("OPTIONS", "/v1/models").head.status, 405) << "no origin is allowed";
}

TEST_F(RouterTest, OriginsOnlyWhenAllowed) {
  const HttpHeaders from = {{"Origin", "https://a.example"}};
  const std::string kAllowed = "Access-Control-Allow-Origin";
  EXPECT_EQ(FindHeader(Ask("GET", "/v1/models", from).head.headers, kAllowed), "");
  router_.AllowOrigin("https://a.example");
  EXPECT_EQ(FindHeader(Ask("GET", "/v1/models", from).head.headers, kAllowed), "https://a.example");
  EXPECT_EQ(FindHeader(Ask("GET", "/v1/models", {{"Origin", "https://b.example"}}).head.headers,
                       kAllowed),
            "");
  const http::AnswerPart preflight = Ask("OPTIONS", "/v1/chat/completions", from);
  EXPECT_EQ(preflight.head.status, 204);
  EXPECT_EQ(FindHeader(preflight.head.headers, kAllowed), "https://a.example");
  EXPECT_EQ(FindHeader(preflight.head.headers, "Access-Control-Allow-Methods"), "POST, OPTIONS");
  EXPECT_EQ(FindHeader(preflight.head.headers, "Vary"), "Origin");
  EXPECT_EQ(Ask("OPTIONS", "/v1/models", {{"Origin", "https://b.example"}}).head.status, 405);
  EXPECT_EQ(FindHeader(Ask("GET", "/none", from).head.headers, kAllowed), "https://a.example");
}

TEST(PercentDecodeTest, Decodes) {
  EXPECT_EQ(PercentDecode("a%2fB%41+"), "a/BA+");
  EXPECT_EQ(PercentDecode(""), "");
  for (const char* bad : {"%", "%4", "a%g1", "%1g", "%00"}) EXPECT_FALSE(PercentDecode(bad)) << bad;
}

TEST(HttpErrorTest, BytesOfAMessageCannotBreakTheDocument) {
  const HttpResponse response = HttpError(429, "a\xFF\"\n", "c", "p");
  const auto json = ParseJson(response.body, "body");
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_EQ(json.value()["error"]["type"], "rate_limit_error");
  EXPECT_EQ(json.value()["error"]["message"], "a\xEF\xBF\xBD\"\n");
  EXPECT_EQ(json.value()["error"]["param"], "p");
}

}  // namespace
}  // namespace ringlet
