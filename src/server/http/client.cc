#include "server/http/client.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "base/text.h"
#include "server/http/client_call.h"

namespace ringlet {

namespace asio = boost::asio;

struct HttpClient::Impl {
  http::ClientCore core;
  std::atomic<CallId> next_id{1};
};

HttpCall JsonCall(std::string target, std::string body) {
  HttpCall call;
  call.target = std::move(target);
  call.headers.emplace_back("Content-Type", "application/json");
  call.body = std::move(body);
  return call;
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Create(const std::string& host, int port) {
  if (port < 1 || port > 65535) {
    return BadInput("port", "", std::to_string(port), "1 to 65535");
  }
  auto impl = std::make_unique<Impl>();
  boost::system::error_code error;
  asio::ip::tcp::resolver resolver(impl->core.io);
  const auto found = resolver.resolve(host, std::to_string(port), error);
  if (error || found.empty()) return BadInput("host", "", Quote(host), "a host that resolves");
  impl->core.server = found.begin()->endpoint();
  const bool v6 = host.find(':') != std::string::npos;
  impl->core.host = (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

HttpClient::CallId HttpClient::Start(HttpCall call) {
  const CallId id = impl_->next_id++;
  http::ClientCore& core = impl_->core;
  auto made = std::make_shared<http::ClientCall>(core, id, std::move(call));
  asio::post(core.io, [&core, id, made] {
    core.calls.emplace(id, made);
    made->Start();
  });
  return id;
}

void HttpClient::Cancel(CallId id) {
  http::ClientCore& core = impl_->core;
  asio::post(core.io, [&core, id] {
    const auto found = core.calls.find(id);
    if (found == core.calls.end()) return;
    const auto call = found->second;
    call->Finish(Status(StatusCode::kCancelled, "cancelled"));
  });
}

void HttpClient::At(HttpTime time, std::function<void()> task) {
  asio::io_context& io = impl_->core.io;
  asio::post(io, [&io, time, task = std::move(task)]() mutable {
    auto timer = std::make_shared<asio::steady_timer>(io, time);
    timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
      if (!error) task();
    });
  });
}

void HttpClient::Run() {
  impl_->core.io.restart();
  impl_->core.io.run();
}

void HttpClient::Stop() { impl_->core.io.stop(); }

HttpReply HttpClient::Fetch(HttpCall call) {
  HttpReply result;
  call.on_done = [&result](const HttpReply& reply) { result = reply; };
  Start(std::move(call));
  Run();
  return result;
}

}  // namespace ringlet
