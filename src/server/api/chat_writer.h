// ChatWriter: answers of a chat model, taken apart into reasoning, content and calls of tools, in
// the words of one API or another.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/api/answers.h"
#include "server/chat/output_parser.h"

namespace ringlet {

struct ChatCall {
  std::string id;
  std::string name;
  std::string arguments;  // the text of a JSON object
};

// One answer, as far as it has come.
struct ChatChoice {
  std::string reasoning;
  std::string content;
  std::vector<ChatCall> calls;
  std::vector<int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;
  FinishReason finish = FinishReason::kLength;
  std::string stop;  // the stop string that was found
  JobStatistics statistics;
};

// How an API says it. Calls for streams come in the order of the answer; a choice's reasoning,
// content and calls may alternate.
class ChatDialect {
 public:
  virtual ~ChatDialect() = default;

  virtual OrderedJson Body(const std::vector<ChatChoice>& choices, const Usage& usage) = 0;

  virtual void Begin(Exchange& exchange) = 0;
  virtual void Progress(Exchange&, int64_t /*done*/, const JobStatistics&) {}
  virtual void Reasoning(Exchange& exchange, size_t choice, std::string_view text) = 0;
  virtual void Content(Exchange& exchange, size_t choice, std::string_view text) = 0;
  virtual void CallBegin(Exchange& exchange, size_t choice, size_t call, const ChatCall& begun) = 0;
  virtual void CallArguments(Exchange& exchange, size_t choice, size_t call,
                             std::string_view text) = 0;
  virtual void CallEnd(Exchange&, size_t /*choice*/, size_t /*call*/, const ChatCall&) {}
  // Log-probabilities of tokens [from, ...) of the choice, if they were asked for.
  virtual void Logprobs(Exchange&, size_t /*choice*/, std::span<const TokenLogprobs>) {}
  virtual void ChoiceEnd(Exchange& exchange, size_t choice, const ChatChoice& whole) = 0;
  virtual void End(Exchange& exchange, const std::vector<ChatChoice>& choices,
                   const Usage& usage) = 0;
  // The stream has begun if `exchange` was answered.
  virtual void Fail(Exchange& exchange, const Status& status) = 0;
  virtual void Refuse(Exchange& exchange, const Status& status) = 0;
};

class ChatWriter : public AnswerWriter {
 public:
  ChatWriter(std::unique_ptr<ChatDialect> dialect, size_t choices,
             const server::OutputFormat& format, bool stream);

  void Begin(Exchange& exchange) override;
  void Refuse(Exchange& exchange, const Status& status) override;
  void OnPrompt(Exchange& exchange, size_t job, int64_t done,
                const JobStatistics& statistics) override;
  void OnToken(Exchange& exchange, size_t job, std::string_view text,
               const Decoding& decoding) override;
  void OnEnd(Exchange& exchange, size_t job, const JobListener::End& end) override;
  void Finish(Exchange& exchange, const Usage& usage) override;
  void Fail(Exchange& exchange, const Status& status) override;

 private:
  server::OutputParser::Sink SinkOf(size_t choice);
  void TellLogprobs(Exchange& exchange, size_t choice, const Decoding& decoding);

  std::unique_ptr<ChatDialect> dialect_;
  const bool stream_;
  Exchange* exchange_ = nullptr;  // while text is parsed
  std::vector<ChatChoice> choices_;
  std::vector<std::unique_ptr<server::OutputParser>> parsers_;
};

}  // namespace ringlet
