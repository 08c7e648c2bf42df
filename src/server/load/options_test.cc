#include "server/load/options.h"

#include <gtest/gtest.h>

namespace ringlet {
namespace {

void ExpectUrl(std::string_view url, std::string_view host, int port, std::string_view prefix) {
  const Result<ServerUrl> parsed = ParseServerUrl(url);
  ASSERT_TRUE(parsed.ok()) << url << ": " << parsed.status().message();
  EXPECT_EQ(parsed->host, host) << url;
  EXPECT_EQ(parsed->port, port) << url;
  EXPECT_EQ(parsed->prefix, prefix) << url;
}

TEST(LoadTestOptions, UrlsOfServers) {
  ExpectUrl("http://127.0.0.1:8080", "127.0.0.1", 8080, "");
  ExpectUrl("http://example.org", "example.org", 80, "");
  ExpectUrl("localhost:8080/v1/", "localhost", 8080, "");
  ExpectUrl("http://localhost:8080/models/a/v1", "localhost", 8080, "/models/a");
  ExpectUrl("http://[::1]:99/", "::1", 99, "");
  ExpectUrl("http://[::1]", "::1", 80, "");
}

TEST(LoadTestOptions, WhatIsNoUrlOfAServer) {
  for (const char* url : {"", "http://", "https://x", "http://:80", "http://x:", "http://x:0",
                          "http://x:65536", "http://x:8o", "http://a b", "http://u@x", "http://x?q",
                          "http://x#f", "http://[::1", "http://[::1]x:80", "http://x\r\nHost: y"}) {
    const Result<ServerUrl> parsed = ParseServerUrl(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidInput);
    EXPECT_TRUE(parsed.status().message().starts_with("URL: found ")) << parsed.status().message();
  }
}

TEST(LoadTestOptions, RangesOfTokens) {
  const Result<TokenRange> one = ParseTokenRange("7", "--max-tokens");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->min, 7);
  EXPECT_EQ(one->max, 7);
  const Result<TokenRange> range = ParseTokenRange("1-64", "--max-tokens");
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->min, 1);
  EXPECT_EQ(range->max, 64);
  for (const char* text : {"", "-", "0", "0-4", "5-4", "1-", "-4", "x", "1-2-3", "10000001",
                           "99999999999999999999", "1 - 2"}) {
    const Result<TokenRange> bad = ParseTokenRange(text, "--max-tokens");
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_TRUE(bad.status().message().starts_with("--max-tokens: found ")) << text;
  }
}

TEST(LoadTestOptions, WhatMakesNoLoad) {
  EXPECT_TRUE(CheckLoadTestOptions({}).ok());
  LoadTestOptions options;
  options.requests = 0;
  EXPECT_FALSE(CheckLoadTestOptions(options).ok());
  options.seconds = 1;
  EXPECT_TRUE(CheckLoadTestOptions(options).ok());
  options.concurrency = 0;
  EXPECT_FALSE(CheckLoadTestOptions(options).ok());
  options = {};
  options.shared_prefix = options.prompt_tokens.min + 1;
  EXPECT_EQ(CheckLoadTestOptions(options).message(),
            "--shared-prefix: found 129, expected 0 to 128");
  options = {};
  options.rate = -1;
  EXPECT_FALSE(CheckLoadTestOptions(options).ok());
}

}  // namespace
}  // namespace ringlet
