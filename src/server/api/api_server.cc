#include "server/api/api_server.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "server/api/answers.h"
#include "server/api/anthropic.h"
#include "server/api/chat_completions.h"
#include "server/api/completions.h"
#include "server/api/embeddings.h"
#include "server/api/operation.h"
#include "server/api/responses.h"
#include "server/api/sessions.h"
#include "server/api/stream_events.h"
#include "server/api/tokens.h"
#include "server/api/worker.h"
#include "server/http/router.h"
#include "server/page/page.h"

namespace ringlet {
namespace {

// As long for a wrong key as for the right one.
bool SameSecret(std::string_view a, std::string_view b) {
  unsigned different = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    different |= static_cast<unsigned char>(a[i] ^ (i < b.size() ? b[i] : 0));
  }
  return different == 0;
}

bool IsOpen(std::string_view path) {
  return path == "/" || path == "/health" || path == "/ready" || path == "/index.html" ||
         path.starts_with("/page/");
}

bool IsJson(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type.empty() ||
         SameIgnoringCase(type.substr(0, type.find_last_not_of(' ') + 1), "application/json");
}

void ShowPageFile(Exchange& exchange, const PageFile& file) {
  HttpResponse response;
  response.headers = {{"ETag", std::string(file.etag)}, {"Cache-Control", "no-cache"}};
  if (exchange.request().Header("If-None-Match") == file.etag) {
    response.status = 304;
    return exchange.Respond(std::move(response));
  }
  response.content_type = file.content_type;
  response.headers.emplace_back("Content-Security-Policy", std::string(PagePolicy()));
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.body.assign(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  exchange.Respond(std::move(response));
}

}  // namespace

struct ApiServer::Impl {
  using JsonHandler = void (*)(const ServedModel&, std::shared_ptr<Exchange>, const OrderedJson&);

  explicit Impl(ServedModel served) : model(std::move(served)) {}

  void AddRoutes(const ApiServerOptions& options);
  void AddPage();
  void AddSessions();
  void Get(std::string_view path, std::function<OrderedJson()> answer);
  void Post(std::string_view path, JsonHandler handler);
  void LogRefusal(const HttpRequest& request, const HttpResponse& answer) const;
  std::optional<HttpResponse> Authorize(const HttpRequest& request) const;
  void Ready(Exchange& exchange) const;

  ServedModel model;
  std::vector<std::string> api_keys;
  std::atomic<bool> draining{false};
  HttpRouter router;
  // Destroyed in the reverse order: no request comes before the worker ends, no task of the worker
  // after the batches end.
  Worker worker;
  std::unique_ptr<HttpServer> http;
};

void ApiServer::Impl::Get(std::string_view path, std::function<OrderedJson()> answer) {
  router.Add("GET", path, [answer](const std::shared_ptr<Exchange>& exchange, const RouteValues&) {
    RespondJson(*exchange, answer());
  });
}

void ApiServer::Impl::Post(std::string_view path, JsonHandler handler) {
  router.Add("POST", path, [this, handler](std::shared_ptr<Exchange> exchange, const RouteValues&) {
    if (!IsJson(exchange->request().Header("Content-Type"))) {
      return exchange->Respond(HttpError(415, "Content-Type: expected application/json"));
    }
    if (draining) return exchange->Respond(HttpError(503, "the server is stopping"));
    worker.Post([this, handler, exchange = std::move(exchange)]() mutable {
      const auto body = ParseOrderedJson(exchange->request().body, "body");
      if (!body.ok()) return exchange->Respond(ErrorResponse(body.status()));
      handler(model, exchange, *body);
    });
  });
}

void ApiServer::Impl::Ready(Exchange& exchange) const {
  if (draining) return exchange.Respond(HttpError(503, "the server is stopping"));
  RespondJson(exchange, {{"status", "ready"}});
}

void ApiServer::Impl::AddPage() {
  for (const PageFile& file : PageFiles()) {
    const auto show = [&file](const std::shared_ptr<Exchange>& exchange, const RouteValues&) {
      ShowPageFile(*exchange, file);
    };
    router.Add("GET", file.path, show);
    if (file.path == "/index.html") router.Add("GET", "/", show);
  }
}

void ApiServer::Impl::AddSessions() {
  router.Add("GET", "/sessions",
             [this](const std::shared_ptr<Exchange>& exchange, const RouteValues&) {
               ListSessions(model, exchange);
             });
  router.Add("DELETE", "/sessions/{name}",
             [this](const std::shared_ptr<Exchange>& exchange, const RouteValues& values) {
               DeleteSession(model, exchange, values[0]);
             });
  Post("/sessions/save", SaveConversation);
  Post("/sessions/restore", RestoreConversation);
}

void ApiServer::Impl::AddRoutes(const ApiServerOptions& options) {
  for (const std::string& origin : options.origins) router.AllowOrigin(origin);
  if (options.page) AddPage();
  Get("/health", [] { return OrderedJson{{"status", "ok"}}; });
  router.Add(
      "GET", "/ready",
      [this](const std::shared_ptr<Exchange>& exchange, const RouteValues&) { Ready(*exchange); });
  Get("/props", [this] { return PropsJson(model); });
  Get("/tokenizer_info", [this] { return TokenizerInfoJson(model); });
  Get("/slots", [this] { return SlotsJson(model); });
  router.Add("GET", "/metrics",
             [this](const std::shared_ptr<Exchange>& exchange, const RouteValues&) {
               HttpResponse response;
               response.content_type = "text/plain; version=0.0.4";
               response.body = MetricsText(model.batches->statistics(), http->stats());
               exchange->Respond(std::move(response));
             });
  Get("/v1/models", [this] {
    return OrderedJson{{"object", "list"}, {"data", OrderedJson::array({ModelJson(model)})}};
  });
  router.Add("GET", "/v1/models/{id...}",
             [this](const std::shared_ptr<Exchange>& exchange, const RouteValues& values) {
               if (values[0] == model.id) return RespondJson(*exchange, ModelJson(model));
               exchange->Respond(HttpError(
                   404, fmt::format("model: found \"{}\", expected \"{}\"", values[0], model.id)));
             });
  Post("/v1/chat/completions", AnswerChatCompletion);
  Post("/v1/completions", AnswerCompletion);
  Post("/v1/responses", AnswerResponses);
  AddSessions();
  Post("/v1/messages", AnswerMessages);
  Post("/v1/messages/count_tokens", AnswerCountTokens);
  Post("/v1/embeddings", AnswerEmbeddings);
  Post("/apply-template", AnswerApplyTemplate);
  Post("/tokenize", AnswerTokenize);
  Post("/detokenize", AnswerDetokenize);
}

std::optional<HttpResponse> ApiServer::Impl::Authorize(const HttpRequest& request) const {
  if (api_keys.empty() || IsOpen(request.path) || request.method == "OPTIONS") return std::nullopt;
  std::string_view given = request.Header("Authorization");
  if (given.size() > 7 && SameIgnoringCase(given.substr(0, 7), "Bearer ")) given.remove_prefix(7);
  const std::string_view other = request.Header("x-api-key");
  const bool known = std::ranges::any_of(api_keys, [&](const std::string& key) {
    return SameSecret(key, given) || SameSecret(key, other);
  });
  if (known) return std::nullopt;
  return HttpError(401, "expected an API key: Authorization: Bearer KEY", "invalid_api_key");
}

void ApiServer::Impl::LogRefusal(const HttpRequest& request, const HttpResponse& answer) const {
  // Answers that fail have lines of their own.
  if (!model.log || answer.status == 500) return;
  OrderedJson line = RequestLine(request, "refused");
  line["status"] = answer.status;
  model.log(line);
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ApiServer::~ApiServer() {
  // The I/O thread first, then the jobs, whose writers then write to nobody.
  impl_->http.reset();
}

Result<std::unique_ptr<ApiServer>> ApiServer::Start(ServedModel model, ApiServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(model));
  impl->api_keys = options.api_keys;
  impl->AddRoutes(options);
  options.http.authorize = [state = impl.get()](const HttpRequest& request) {
    return state->Authorize(request);
  };
  options.http.on_refused = [state = impl.get()](const HttpRequest& request, HttpResponse* answer) {
    for (auto& header : state->router.OriginHeaders(request)) answer->headers.push_back(header);
    state->LogRefusal(request, *answer);
  };
  options.http.on_error = [state = impl.get()](const HttpRequest& request,
                                               const HttpResponse& answer) {
    state->LogRefusal(request, answer);
  };
  RINGLET_ASSIGN_OR_RETURN(
      impl->http, HttpServer::Listen(std::move(options.http),
                                     [state = impl.get()](std::shared_ptr<Exchange> exchange) {
                                       state->router.Handle(std::move(exchange));
                                     }));
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

int ApiServer::port() const { return impl_->http->port(); }

bool ApiServer::Drain(std::chrono::milliseconds timeout) {
  impl_->draining = true;
  return impl_->http->Drain(timeout);
}

}  // namespace ringlet
