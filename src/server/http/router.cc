#include "server/http/router.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace ringlet {
namespace {

// The methods of a path, in the order in which they were added.
std::string AllowList(const std::vector<std::string>& methods, bool preflight) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  for (const std::string& method : methods) {
    add(method);
    if (method == "GET") add("HEAD");
  }
  if (preflight) add("OPTIONS");
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

std::vector<HttpRouter::Segment> HttpRouter::ParsePattern(std::string_view pattern) {
  RINGLET_CHECK(pattern.starts_with('/'), "a route begins with '/'");
  std::vector<Segment> segments;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const size_t end = std::min(pattern.find('/'), pattern.size());
    const std::string_view part = pattern.substr(0, end);
    pattern.remove_prefix(end);
    if (!part.starts_with('{')) {
      segments.push_back({Segment::Kind::kText, std::string(part)});
    } else if (part.ends_with("...}")) {
      RINGLET_CHECK(pattern.empty(), "{name...} ends a route");
      segments.push_back({Segment::Kind::kRest, {}});
    } else {
      RINGLET_CHECK(part.ends_with('}'), "a route's '{' needs its '}'");
      segments.push_back({Segment::Kind::kOne, {}});
    }
  }
  return segments;
}

void HttpRouter::Add(std::string method, std::string_view pattern, RouteHandler handler) {
  routes_.push_back({std::move(method), ParsePattern(pattern), std::move(handler)});
}

void HttpRouter::AllowOrigin(std::string origin) { origins_.push_back(std::move(origin)); }

std::optional<RouteValues> HttpRouter::Match(const Route& route, std::string_view path) {
  RouteValues values;
  for (const Segment& segment : route.segments) {
    if (!path.starts_with('/')) return std::nullopt;
    path.remove_prefix(1);
    const bool rest = segment.kind == Segment::Kind::kRest;
    const size_t end = rest ? path.size() : std::min(path.find('/'), path.size());
    const auto text = PercentDecode(path.substr(0, end));
    path.remove_prefix(end);
    if (!text) return std::nullopt;
    if (segment.kind == Segment::Kind::kText) {
      if (*text != segment.text) return std::nullopt;
    } else {
      if (text->empty()) return std::nullopt;
      values.push_back(*text);
    }
  }
  if (!path.empty()) return std::nullopt;
  return values;
}

bool HttpRouter::IsAllowed(std::string_view origin) const {
  return !origin.empty() && std::any_of(origins_.begin(), origins_.end(), [&](const auto& allowed) {
    return allowed == "*" || allowed == origin;
  });
}

void HttpRouter::Preflight(Exchange& exchange, const std::string& allow) const {
  HttpResponse response;
  response.status = 204;
  response.headers = {{"Access-Control-Allow-Methods", allow},
                      {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                      {"Access-Control-Max-Age", "600"}};
  exchange.Respond(std::move(response));
}

HttpHeaders HttpRouter::OriginHeaders(const HttpRequest& request) const {
  HttpHeaders headers;
  const std::string_view origin = request.Header("Origin");
  if (!origins_.empty()) headers.emplace_back("Vary", "Origin");
  if (IsAllowed(origin)) headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  return headers;
}

void HttpRouter::Handle(std::shared_ptr<Exchange> exchange) const {
  const HttpRequest& request = exchange->request();
  for (auto& [name, value] : OriginHeaders(request)) exchange->AddHeader(name, value);
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    const auto values = Match(route, request.path);
    if (!values) continue;
    if (route.method == request.method || (route.method == "GET" && request.method == "HEAD")) {
      return route.handler(std::move(exchange), *values);
    }
    methods.push_back(route.method);
  }
  if (methods.empty()) {
    return exchange->Respond(HttpError(404, "no such path: " + Quote(request.path), "not_found"));
  }
  const std::string allow = AllowList(methods, !origins_.empty());
  if (IsAllowed(request.Header("Origin")) && request.method == "OPTIONS")
    return Preflight(*exchange, allow);
  exchange->AddHeader("Allow", allow);
  exchange->Respond(HttpError(405, "method: found " + Quote(request.method) + ", expected " + allow,
                              "method_not_allowed"));
}

}  // namespace ringlet
