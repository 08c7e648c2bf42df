#include "server/load/options.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxTokens = 10'000'000;
constexpr int64_t kMaxRequests = 100'000'000;
constexpr int64_t kMaxConcurrency = 4096;

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status BadUrl(std::string_view url) {
  return BadInput("URL", "", Quote(url), "http://HOST:PORT, without user, query or fragment");
}

}  // namespace

Result<ServerUrl> ParseServerUrl(std::string_view url) {
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    return BadInput("URL", "", Quote(url), "http://...: there is no encryption here");
  }
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  for (const char c : rest) {
    if (c <= ' ' || c == '\x7f' || c == '@' || c == '?' || c == '#') return BadUrl(url);
  }
  ServerUrl out;
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    out.prefix = rest.substr(slash);
    rest = rest.substr(0, slash);
    while (out.prefix.ends_with('/')) out.prefix.pop_back();
    if (out.prefix.ends_with("/v1")) out.prefix.resize(out.prefix.size() - 3);
  }
  const size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == std::string_view::npos) return BadUrl(url);
  const size_t colon = rest.find(':', bracket);
  out.host = bracket > 0 ? rest.substr(1, bracket - 1) : rest.substr(0, colon);
  if (bracket > 0 && bracket + 1 != std::min(colon, rest.size())) return BadUrl(url);
  if (colon != std::string_view::npos) {
    const auto port = WholeNumber(rest.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return BadUrl(url);
    out.port = static_cast<int>(*port);
  }
  if (out.host.empty()) return BadUrl(url);
  return out;
}

Result<TokenRange> ParseTokenRange(std::string_view text, std::string_view flag) {
  const size_t dash = text.find('-');
  const auto min = WholeNumber(text.substr(0, dash));
  const auto max = dash == std::string_view::npos ? min : WholeNumber(text.substr(dash + 1));
  if (min && max && *min >= 1 && *min <= *max && *max <= kMaxTokens) return TokenRange{*min, *max};
  return BadInput(flag, "", Quote(text), fmt::format("N or A-B, from 1 to {}", kMaxTokens));
}

Status CheckLoadTestOptions(const LoadTestOptions& options) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  const struct {
    const char* flag;
    double value, min, max;
  } ranges[] = {
      {"--rate", options.rate, 0, 1e6},
      {"--concurrency", number(options.concurrency), 1, number(kMaxConcurrency)},
      {"--requests", number(options.requests), 0, number(kMaxRequests)},
      {"--duration", options.seconds, 0, 1e7},
      {"--warmup", number(options.warmup), 0, number(kMaxRequests)},
      {"--timeout", number(options.timeout.count()) / 1e3, 0.001, 1e6},
      {"--shared-prefix", number(options.shared_prefix), 0, number(options.prompt_tokens.min)}};
  for (const auto& [flag, value, min, max] : ranges) {
    if (value >= min && value <= max) continue;
    return BadInput(flag, "", fmt::format("{}", value), fmt::format("{} to {}", min, max));
  }
  if (options.requests > 0 || options.seconds > 0) return Status::Ok();
  return BadInput("--requests", "", "0", "at least 1, or a --duration");
}

}  // namespace ringlet
