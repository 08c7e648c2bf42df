// Requests to handlers, by method and path.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/exchange.h"

namespace ringlet {

// What the parts in braces of a pattern matched, in their order, percent-decoded.
using RouteValues = std::vector<std::string>;
using RouteHandler = std::function<void(std::shared_ptr<Exchange>, const RouteValues&)>;

// A table of routes, filled before the server starts and read-only after. A path without a route is
// 404, a method that the path does not have is 405 with Allow; HEAD goes where GET goes.
//
// Browsers may call from other origins only when origins are allowed: answers to these then carry
// the headers that say so, and preflight requests (OPTIONS) are answered here.
class HttpRouter {
 public:
  // `pattern` is a path: "{name}" stands for one segment that is not empty, "{name...}", at the
  // end, for all that is left, slashes included ("/v1/models/{id...}"). Routes that came first win.
  void Add(std::string method, std::string_view pattern, RouteHandler handler);
  // "https://example.org", or "*" for all.
  void AllowOrigin(std::string origin);

  void Handle(std::shared_ptr<Exchange> exchange) const;
  // What lets the request's origin read an answer; Handle adds it to its own.
  HttpHeaders OriginHeaders(const HttpRequest& request) const;

 private:
  struct Segment {
    enum class Kind { kText, kOne, kRest };
    Kind kind;
    std::string text;
  };
  struct Route {
    std::string method;
    std::vector<Segment> segments;
    RouteHandler handler;
  };

  static std::vector<Segment> ParsePattern(std::string_view pattern);
  static std::optional<RouteValues> Match(const Route& route, std::string_view path);
  bool IsAllowed(std::string_view origin) const;
  void Preflight(Exchange& exchange, const std::string& allow) const;

  std::vector<Route> routes_;
  std::vector<std::string> origins_;
};

}  // namespace ringlet
