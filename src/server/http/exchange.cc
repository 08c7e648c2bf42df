#include "server/http/exchange.h"

#include <utility>

#include "base/check.h"
#include "server/http/exchange_core.h"

namespace ringlet {
namespace http {

void ExchangeCore::WakeLocked() {
  if (wake_pending_ || !wake_) return;
  wake_pending_ = true;
  wake_();
}

void ExchangeCore::AddHeader(std::string name, std::string value) {
  const std::lock_guard lock(mutex_);
  extra_headers_.emplace_back(std::move(name), std::move(value));
}

void ExchangeCore::BeginLocked(HttpResponse&& head, bool stream) {
  RINGLET_CHECK(!answered_, "an exchange is answered once");
  RINGLET_CHECK(head.status >= 200 && head.status <= 999, "the status of an answer");
  answered_ = true;
  stream_ = stream;
  part_.begins = true;
  part_.stream = stream;
  part_.bytes = std::move(head.body);
  part_.head = std::move(head);
  part_.head.body.clear();
  for (auto& header : extra_headers_) part_.head.headers.push_back(std::move(header));
}

// What the callback holds is released outside of the lock: it may be anything.
void ExchangeCore::EndLocked(std::function<void()>& dropped) {
  ended_ = true;
  part_.ends = true;
  dropped.swap(gone_);
  WakeLocked();
}

void ExchangeCore::Respond(HttpResponse response) {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  BeginLocked(std::move(response), false);
  EndLocked(dropped);
}

void ExchangeCore::BeginStream(int status, std::string content_type, HttpHeaders headers) {
  HttpResponse head;
  head.status = status;
  head.content_type = std::move(content_type);
  head.headers = std::move(headers);
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  BeginLocked(std::move(head), true);
  WakeLocked();
}

void ExchangeCore::Write(std::string bytes) {
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  RINGLET_CHECK(stream_ && !ended_, "Write belongs between BeginStream and End");
  if (!wake_ || bytes.empty()) return;
  if (part_.bytes.empty()) {
    part_.bytes = std::move(bytes);
  } else {
    part_.bytes += bytes;
  }
  WakeLocked();
}

void ExchangeCore::End() {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  RINGLET_CHECK(stream_ && !ended_, "End belongs after BeginStream, once");
  EndLocked(dropped);
}

void ExchangeCore::Abandon() {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  if (!answered_) {
    BeginLocked(HttpError(500, "the request was not answered"), false);
  } else {
    part_.cut_off = true;
  }
  EndLocked(dropped);
}

void ExchangeCore::Fail() {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  if (answered_) return;
  BeginLocked(HttpError(500, "internal error"), false);
  failed_ = true;
  EndLocked(dropped);
}

bool ExchangeCore::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

void ExchangeCore::OnDisconnect(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (!disconnected_) {
      if (!ended_) gone_.swap(gone);
      return;
    }
    if (ended_) return;
  }
  if (gone) gone();
}

bool ExchangeCore::disconnected() const {
  const std::lock_guard lock(mutex_);
  return disconnected_;
}

size_t ExchangeCore::unsent_bytes() const {
  const std::lock_guard lock(mutex_);
  return wake_ ? part_.bytes.size() + queued_ : 0;
}

AnswerPart ExchangeCore::Take() {
  const std::lock_guard lock(mutex_);
  wake_pending_ = false;
  queued_ += part_.bytes.size();
  return std::exchange(part_, {});
}

void ExchangeCore::SetQueued(size_t bytes) {
  const std::lock_guard lock(mutex_);
  queued_ = bytes;
}

bool ExchangeCore::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void ExchangeCore::Close() {
  std::function<void()> wake;
  const std::lock_guard lock(mutex_);
  wake.swap(wake_);
}

void ExchangeCore::Disconnect() {
  std::function<void()> wake;
  std::function<void()> gone;
  {
    const std::lock_guard lock(mutex_);
    disconnected_ = true;
    wake.swap(wake_);
    gone.swap(gone_);
    part_ = {};
  }
  if (!gone) return;
  try {
    gone();
  } catch (...) {  // nobody is left to tell
  }
}

}  // namespace http

Exchange::Exchange(std::shared_ptr<http::ExchangeCore> core) : core_(std::move(core)) {}
Exchange::~Exchange() { core_->Abandon(); }

const HttpRequest& Exchange::request() const { return core_->request(); }
void Exchange::AddHeader(std::string name, std::string value) {
  core_->AddHeader(std::move(name), std::move(value));
}
void Exchange::Respond(HttpResponse response) { core_->Respond(std::move(response)); }
void Exchange::BeginStream(int status, std::string content_type, HttpHeaders headers) {
  core_->BeginStream(status, std::move(content_type), std::move(headers));
}
void Exchange::Write(std::string bytes) { core_->Write(std::move(bytes)); }
void Exchange::End() { core_->End(); }
bool Exchange::answered() const { return core_->answered(); }
void Exchange::OnDisconnect(std::function<void()> gone) { core_->OnDisconnect(std::move(gone)); }
bool Exchange::disconnected() const { return core_->disconnected(); }
size_t Exchange::unsent_bytes() const { return core_->unsent_bytes(); }

}  // namespace ringlet
