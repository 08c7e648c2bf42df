// ApiServer: a model behind HTTP, with the APIs of OpenAI and Anthropic and a chat page.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/api/served_model.h"
#include "server/http/server.h"

namespace ringlet {

struct ApiServerOptions {
  HttpServerOptions http;  // its `authorize` is the server's
  // Any of these opens the API ("Authorization: Bearer KEY" or "x-api-key: KEY"); none: no key is
  // wanted. The page itself, /health and /ready never want one.
  std::vector<std::string> api_keys;
  std::vector<std::string> origins;  // that browsers may call from; "*": all
  bool page = true;
};

class ApiServer {
 public:
  // Listens and answers. Errors: those of HttpServer::Listen.
  static Result<std::unique_ptr<ApiServer>> Start(ServedModel model, ApiServerOptions options);
  // Stops at once: streams are cut off and jobs cancelled.
  ~ApiServer();

  int port() const;
  // Takes no more requests and waits for those under way; false when that took longer.
  bool Drain(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringlet
