// What the connections of a server share. Everything here but the counters, and what the mutex
// guards, belongs to the I/O thread.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "server/http/server.h"

namespace ringlet::http {

class Connection;

struct ServerCounters {
  std::atomic<size_t> open_connections{0};
  std::atomic<size_t> active_exchanges{0};
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> refused_connections{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> refused_requests{0};
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> disconnects{0};
  std::atomic<uint64_t> stalls{0};
  std::atomic<uint64_t> handler_errors{0};
  std::atomic<uint64_t> accept_pauses{0};
};

struct ServerCore {
  ServerCore(HttpServerOptions o, HttpHandler h) : options(std::move(o)), handler(std::move(h)) {}

  // The Date header's value now.
  std::string_view Date();
  // A connection began or finished a request.
  void AddBusy(int change);
  void Remove(const std::shared_ptr<Connection>& connection);

  const HttpServerOptions options;
  const HttpHandler handler;
  boost::asio::io_context io{1};
  std::set<std::shared_ptr<Connection>> connections;
  std::function<void()> on_removed;  // a place for another connection is free
  std::array<char, size_t{64} << 10> read_buffer;
  bool draining = false;
  ServerCounters counters;

  std::mutex mutex;
  std::condition_variable idle;
  int busy = 0;         // connections with a request under way
  bool drains = false;  // draining, for other threads

 private:
  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace ringlet::http
