// What a load test asks of a server.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace ringlet {

// Where an OpenAI-compatible server is.
struct ServerUrl {
  std::string host;
  int port = 80;
  std::string prefix;  // of every path; empty or "/..." without a slash at its end
};

// "http://host:port/prefix", "host:port" or "http://[::1]:8080"; a "/v1" at the end is left out.
// Errors: kInvalidInput, https among them.
Result<ServerUrl> ParseServerUrl(std::string_view url);

// From `min` to `max`, both included.
struct TokenRange {
  int64_t min = 0;
  int64_t max = 0;
};

// "N" or "A-B", at least 1 and at most 10 million. Errors name `flag`.
Result<TokenRange> ParseTokenRange(std::string_view text, std::string_view flag);

struct LoadTestOptions {
  enum class Endpoint { kCompletions, kChat };
  enum class Arrivals { kPoisson, kConstant };

  Endpoint endpoint = Endpoint::kCompletions;
  std::string model;  // empty: the first that the server lists
  std::string api_key;

  // Open loop when positive: requests come at this rate (a second), whatever the server does.
  double rate = 0;
  Arrivals arrivals = Arrivals::kPoisson;
  // Closed loop otherwise: so many are under way, each followed by the next.
  int64_t concurrency = 4;
  int64_t requests = 100;  // 0: as many as come in `seconds`
  double seconds = 0;      // no request starts later; 0: no such limit
  int64_t warmup = 0;      // requests before, which are not counted
  std::chrono::milliseconds timeout{600000};

  TokenRange prompt_tokens{128, 128};
  int64_t shared_prefix = 0;  // of these tokens, so many are the same in all prompts
  TokenRange answer_tokens{64, 64};
  bool ignore_end = true;  // answers are as long as asked for
  uint64_t seed = 0;
};

// Errors: kInvalidInput for numbers that make no load.
Status CheckLoadTestOptions(const LoadTestOptions& options);

}  // namespace ringlet
