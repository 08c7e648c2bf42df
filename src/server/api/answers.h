// Answers: the jobs behind one request, from submission to the last byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/job.h"
#include "server/api/fields.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t answer_tokens = 0;
};

// Turns what jobs tell into a response. Calls come one at a time, from the batcher's thread but for
// Begin and Refuse.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  // The jobs were accepted: a stream begins here.
  virtual void Begin(Exchange&) {}
  // They were not.
  virtual void Refuse(Exchange& exchange, const Status& status);
  virtual void OnPrompt(Exchange&, size_t /*job*/, int64_t /*done*/, const JobStatistics&) {}
  virtual void OnToken(Exchange&, size_t /*job*/, std::string_view /*text*/, const Decoding&) {}
  virtual void OnEnd(Exchange&, size_t job, const JobListener::End& end) = 0;
  // Every job has ended well.
  virtual void Finish(Exchange&, const Usage& usage) = 0;
  // A job has failed; it is the last call.
  virtual void Fail(Exchange& exchange, const Status& status) = 0;
};

// Submits `jobs` and lets `writer` answer. Jobs of one prompt (`prompt_of`, parallel to `jobs`)
// count its tokens once. When the client goes, the jobs are cancelled.
void StartAnswers(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                  std::vector<JobRequest> jobs, std::vector<size_t> prompt_of,
                  std::unique_ptr<AnswerWriter> writer);

// 400 for what is wrong with the request, 503 for a server that is ending, 500 for the rest.
HttpResponse ErrorResponse(const Status& status, std::string_view param = {});

// Whether something in `fields` is wrong; then the client has been told.
bool Refused(Fields& fields, Exchange& exchange);

// A line of the log: when, who, what and how it ended.
OrderedJson RequestLine(const HttpRequest& request, std::string_view outcome);

// For jobs that were not accepted: 429 with Retry-After when the queue is full.
HttpResponse RefusalResponse(const Status& status);

}  // namespace ringlet
