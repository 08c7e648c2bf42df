#include "server/api/answers.h"

#include <chrono>
#include <utility>

namespace ringlet {
namespace {

constexpr const char* kRetrySeconds = "2";

class Answers : public std::enable_shared_from_this<Answers> {
 public:
  Answers(const ServedModel& model, std::shared_ptr<Exchange> exchange,
          std::vector<size_t> prompt_of, std::unique_ptr<AnswerWriter> writer)
      : model_(model),
        exchange_(std::move(exchange)),
        prompt_of_(std::move(prompt_of)),
        writer_(std::move(writer)),
        left_(prompt_of_.size()) {}

  void Start(std::vector<JobRequest> requests);

 private:
  class Listener;

  void Prompt(size_t job, int64_t done, const JobStatistics& statistics);
  void Token(size_t job, std::string_view text, const Decoding& decoding);
  void End(size_t job, const JobListener::End& end);
  void Log(std::string_view outcome) const;

  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  const ServedModel& model_;
  std::shared_ptr<Exchange> exchange_;
  const std::vector<size_t> prompt_of_;
  // Listeners wait until the writer has begun.
  std::mutex mutex_;
  std::unique_ptr<AnswerWriter> writer_;
  std::vector<JobId> ids_;
  size_t left_;
  bool failed_ = false;
  Usage usage_;
};

class Answers::Listener : public JobListener {
 public:
  Listener(std::shared_ptr<Answers> answers, size_t job)
      : answers_(std::move(answers)), job_(job) {}

  void OnPrompt(int64_t done, const JobStatistics& statistics) override {
    answers_->Prompt(job_, done, statistics);
  }
  void OnToken(std::string_view text, const Decoding& decoding) override {
    answers_->Token(job_, text, decoding);
  }
  void OnEnd(const JobListener::End& end) override { answers_->End(job_, end); }

 private:
  std::shared_ptr<Answers> answers_;
  size_t job_;
};

void Answers::Start(std::vector<JobRequest> requests) {
  const std::lock_guard lock(mutex_);
  std::vector<BatchThread::Submission> jobs;
  for (size_t i = 0; i < requests.size(); ++i) {
    jobs.push_back({std::move(requests[i]), std::make_shared<Listener>(shared_from_this(), i)});
  }
  Result<std::vector<JobId>> ids = model_.batches->Submit(std::move(jobs));
  if (!ids.ok()) return writer_->Refuse(*exchange_, ids.status());
  ids_ = std::move(ids).value();
  writer_->Begin(*exchange_);
  exchange_->OnDisconnect([batches = model_.batches.get(), cancelled = ids_] {
    for (const JobId id : cancelled) batches->Cancel(id);
  });
}

void Answers::Prompt(size_t job, int64_t done, const JobStatistics& statistics) {
  const std::lock_guard lock(mutex_);
  if (!failed_) writer_->OnPrompt(*exchange_, job, done, statistics);
}

void Answers::Token(size_t job, std::string_view text, const Decoding& decoding) {
  const std::lock_guard lock(mutex_);
  if (!failed_) writer_->OnToken(*exchange_, job, text, decoding);
}

void Answers::End(size_t job, const JobListener::End& end) {
  const std::lock_guard lock(mutex_);
  --left_;
  if (failed_) return;
  // Nobody reads what is cancelled, unless the server is ending.
  const bool cancelled = end.decoding.finish() == FinishReason::kCancelled;
  if (!end.status.ok() || cancelled) {
    failed_ = true;
    for (const JobId id : ids_) model_.batches->Cancel(id);
    Log(cancelled ? "cancelled" : "failed");
    return writer_->Fail(*exchange_, !end.status.ok() ? end.status
                                                      : Status(StatusCode::kCancelled,
                                                               "the server ended the answer"));
  }
  if (job == 0 || prompt_of_[job] != prompt_of_[job - 1]) {
    usage_.prompt_tokens += end.statistics.prompt_tokens;
    usage_.cached_tokens += end.statistics.cached_tokens;
  }
  usage_.answer_tokens += std::ssize(end.decoding.answer());
  writer_->OnEnd(*exchange_, job, end);
  if (left_ > 0) return;
  writer_->Finish(*exchange_, usage_);
  Log("answered");
}

void Answers::Log(std::string_view outcome) const {
  if (!model_.log) return;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
  OrderedJson line = RequestLine(exchange_->request(), outcome);
  line["prompt_tokens"] = usage_.prompt_tokens;
  line["cached_tokens"] = usage_.cached_tokens;
  line["answer_tokens"] = usage_.answer_tokens;
  line["seconds"] = seconds.count();
  model_.log(line);
}

}  // namespace

OrderedJson RequestLine(const HttpRequest& request, std::string_view outcome) {
  return {{"time", UnixSeconds()},
          {"remote", request.remote},
          {"method", request.method},
          {"path", request.path},
          {"outcome", outcome}};
}

void AnswerWriter::Refuse(Exchange& exchange, const Status& status) {
  exchange.Respond(RefusalResponse(status));
}

HttpResponse RefusalResponse(const Status& status) {
  if (status.code() != StatusCode::kResource) return ErrorResponse(status);
  HttpResponse response = HttpError(429, status.message(), "server_busy");
  response.headers.emplace_back("Retry-After", kRetrySeconds);
  return response;
}

void StartAnswers(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                  std::vector<JobRequest> jobs, std::vector<size_t> prompt_of,
                  std::unique_ptr<AnswerWriter> writer) {
  std::make_shared<Answers>(model, std::move(exchange), std::move(prompt_of), std::move(writer))
      ->Start(std::move(jobs));
}

bool Refused(Fields& fields, Exchange& exchange) {
  const Status status = fields.Finish();
  if (!status.ok()) exchange.Respond(ErrorResponse(status, fields.param()));
  return !status.ok();
}

HttpResponse ErrorResponse(const Status& status, std::string_view param) {
  switch (status.code()) {
    case StatusCode::kInvalidInput:
    case StatusCode::kUnsupported:
    case StatusCode::kResource:  // a limit
      return HttpError(400, status.message(), "", param);
    case StatusCode::kNotFound:
      return HttpError(404, status.message(), "", param);
    case StatusCode::kCancelled:
      return HttpError(503, status.message(), "server_stopping", param);
    default:
      return HttpError(500, status.message(), "", param);
  }
}

}  // namespace ringlet
