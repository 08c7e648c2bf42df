// How one request of a load test went.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/http/client.h"

namespace ringlet {

struct LoadSample {
  enum class Outcome { kCompleted, kRefused, kFailed };  // refused: 429, the queue was full

  Outcome outcome = Outcome::kFailed;
  std::string error;  // of failures
  // Seconds from when the request was due, which is before it could be sent if the load generator
  // or the network was late.
  double first_token = 0;
  double latency = 0;
  std::vector<double> gaps;  // between pieces of text, usually tokens
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t answer_tokens = 0;
};

// Reads a streamed completion or chat completion.
class SampleReader {
 public:
  explicit SampleReader(HttpTime due) : due_(due) {}

  void OnEvent(const SseEvent& event, HttpTime time);
  // After the last event. A stream without "[DONE]", with an error or without a token has failed.
  LoadSample Finish(const HttpReply& reply);

 private:
  void OnText(HttpTime time);
  std::string Failure(const HttpReply& reply) const;

  const HttpTime due_;
  HttpTime last_text_;
  int64_t texts_ = 0;
  bool whole_ = false;    // "[DONE]" came
  bool counted_ = false;  // the server said how many tokens there were
  std::string error_;
  LoadSample sample_;
};

// What an error's body says: the message of OpenAI's shape, else the body; quoted and cut.
std::string ErrorText(std::string_view body);

}  // namespace ringlet
