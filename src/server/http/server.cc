#include "server/http/server.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <ctime>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "server/http/connection.h"
#include "server/http/server_core.h"

namespace ringlet {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace http {

std::string_view ServerCore::Date() {
  const int64_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_ = HttpDate(now);
  }
  return date_;
}

void ServerCore::AddBusy(int change) {
  const std::lock_guard lock(mutex);
  busy += change;
  if (busy == 0) idle.notify_all();
}

void ServerCore::Remove(const std::shared_ptr<Connection>& connection) {
  connections.erase(connection);
  counters.open_connections = connections.size();
  if (on_removed) on_removed();
}

}  // namespace http

namespace {

using http::Connection;

constexpr auto kAcceptPause = std::chrono::milliseconds(50);
// Connections beyond the limit that are being told so.
constexpr size_t kRefusedAtOnce = 64;

}  // namespace

struct HttpServer::Impl {
  Impl(HttpServerOptions options, HttpHandler handler)
      : core(std::move(options), std::move(handler)),
        work(asio::make_work_guard(core.io)),
        acceptor(core.io),
        pause(core.io) {}

  Status Open();
  void Start();
  void Accept();
  void OnAccept(const error_code& error, tcp::socket socket);
  void Pause();
  void StopAccepting();
  void Stop();
  void Run();

  http::ServerCore core;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  bool accepting = false;  // an accept is under way, or a pause
  int port = 0;
  std::thread thread;
};

Status HttpServer::Impl::Open() {
  const HttpServerOptions& options = core.options;
  if (options.port < 0 || options.port > 65535) {
    return BadInput("port", "", std::to_string(options.port), "0 to 65535");
  }
  error_code error;
  tcp::resolver resolver(core.io);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return BadInput("host", "", Quote(options.host), "an address of this machine");
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) port = acceptor.local_endpoint(error).port();
  if (error) {
    return Status(StatusCode::kIo, fmt::format("cannot listen on {} port {}: {}", options.host,
                                               options.port, error.message()));
  }
  return Status::Ok();
}

// Signals are for the threads of the program.
void HttpServer::Impl::Start() {
  core.on_removed = [this] { Accept(); };
  Accept();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HttpServer::Impl::Run() {
  while (true) {
    try {
      core.io.run();
      return;
    } catch (...) {  // no memory for an accept or a timer: go on with what there is
    }
  }
}

void HttpServer::Impl::Accept() {
  if (accepting || core.draining ||
      core.connections.size() >= core.options.max_connections + kRefusedAtOnce) {
    return;
  }
  accepting = true;
  acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
    accepting = false;
    try {
      OnAccept(error, std::move(socket));
    } catch (...) {  // no memory for this one
      Pause();
    }
  });
}

void HttpServer::Impl::OnAccept(const error_code& error, tcp::socket socket) {
  if (core.draining) return;
  if (error) return Pause();
  const bool refused = core.connections.size() >= core.options.max_connections;
  const auto connection = std::make_shared<Connection>(std::move(socket), core);
  core.connections.insert(connection);
  core.counters.open_connections = core.connections.size();
  ++(refused ? core.counters.refused_connections : core.counters.connections);
  if (refused) {
    connection->StartRefused();
  } else {
    connection->Start();
  }
  Accept();
}

// Out of descriptors or memory: connections wait in the kernel until some are free again.
void HttpServer::Impl::Pause() {
  ++core.counters.accept_pauses;
  accepting = true;
  pause.expires_after(kAcceptPause);
  pause.async_wait([this](const error_code&) {
    accepting = false;
    Accept();
  });
}

void HttpServer::Impl::StopAccepting() {
  if (!core.draining) {
    core.draining = true;
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    const std::vector<std::shared_ptr<Connection>> open(core.connections.begin(),
                                                        core.connections.end());
    for (const auto& connection : open) connection->Drain();
  }
  const std::lock_guard lock(core.mutex);
  core.drains = true;
  core.idle.notify_all();
}

void HttpServer::Impl::Stop() {
  StopAccepting();
  const std::vector<std::shared_ptr<Connection>> open(core.connections.begin(),
                                                      core.connections.end());
  for (const auto& connection : open) connection->Abort();
  work.reset();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  RINGLET_CHECK(std::this_thread::get_id() != impl_->thread.get_id(),
                "a server cannot be destroyed on its own thread");
  asio::post(impl_->core.io, [impl = impl_.get()] { impl->Stop(); });
  impl_->thread.join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(HttpServerOptions options,
                                                       HttpHandler handler) {
  RINGLET_CHECK(handler != nullptr, "a server needs a handler");
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  RINGLET_RETURN_IF_ERROR(impl->Open());
  impl->Start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port; }

void HttpServer::StopAccepting() {
  asio::post(impl_->core.io, [impl = impl_.get()] { impl->StopAccepting(); });
}

bool HttpServer::Drain(std::chrono::milliseconds timeout) {
  StopAccepting();
  http::ServerCore& core = impl_->core;
  std::unique_lock lock(core.mutex);
  return core.idle.wait_for(lock, timeout, [&] { return core.drains && core.busy == 0; });
}

HttpServerStats HttpServer::stats() const {
  const http::ServerCounters& counters = impl_->core.counters;
  HttpServerStats stats;
  stats.open_connections = counters.open_connections;
  stats.active_exchanges = counters.active_exchanges;
  stats.connections = counters.connections;
  stats.refused_connections = counters.refused_connections;
  stats.requests = counters.requests;
  stats.refused_requests = counters.refused_requests;
  stats.timeouts = counters.timeouts;
  stats.disconnects = counters.disconnects;
  stats.stalls = counters.stalls;
  stats.handler_errors = counters.handler_errors;
  stats.accept_pauses = counters.accept_pauses;
  return stats;
}

}  // namespace ringlet
