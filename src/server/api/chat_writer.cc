#include "server/api/chat_writer.h"

#include <utility>

#include "server/api/stream_events.h"

namespace ringlet {

ChatWriter::ChatWriter(std::unique_ptr<ChatDialect> dialect, size_t choices,
                       const server::OutputFormat& format, bool stream)
    : dialect_(std::move(dialect)), stream_(stream), choices_(choices) {
  for (size_t i = 0; i < choices; ++i) {
    server::OutputFormat own = format;
    own.id_prefix = NewId("call_");
    parsers_.push_back(std::make_unique<server::OutputParser>(std::move(own), SinkOf(i)));
  }
}

server::OutputParser::Sink ChatWriter::SinkOf(size_t choice) {
  server::OutputParser::Sink sink;
  sink.reasoning = [this, choice](std::string_view text) {
    choices_[choice].reasoning += text;
    if (stream_) dialect_->Reasoning(*exchange_, choice, text);
  };
  sink.content = [this, choice](std::string_view text) {
    choices_[choice].content += text;
    if (stream_) dialect_->Content(*exchange_, choice, text);
  };
  sink.tool_begin = [this, choice](int index, std::string_view id, std::string_view name) {
    choices_[choice].calls.push_back({std::string(id), std::string(name), ""});
    if (!stream_) return;
    dialect_->CallBegin(*exchange_, choice, static_cast<size_t>(index),
                        choices_[choice].calls.back());
  };
  sink.tool_arguments = [this, choice](int index, std::string_view text) {
    choices_[choice].calls[static_cast<size_t>(index)].arguments += text;
    if (stream_) {
      dialect_->CallArguments(*exchange_, choice, static_cast<size_t>(index), text);
    }
  };
  sink.tool_end = [this, choice](int index) {
    if (!stream_) return;
    const auto call = static_cast<size_t>(index);
    dialect_->CallEnd(*exchange_, choice, call, choices_[choice].calls[call]);
  };
  return sink;
}

void ChatWriter::Begin(Exchange& exchange) {
  if (stream_) dialect_->Begin(exchange);
}

void ChatWriter::Refuse(Exchange& exchange, const Status& status) {
  dialect_->Refuse(exchange, status);
}

void ChatWriter::OnPrompt(Exchange& exchange, size_t job, int64_t done,
                          const JobStatistics& statistics) {
  if (stream_ && job == 0) dialect_->Progress(exchange, done, statistics);
}

void ChatWriter::TellLogprobs(Exchange& exchange, size_t choice, const Decoding& decoding) {
  std::vector<TokenLogprobs>& known = choices_[choice].logprobs;
  const auto fresh = std::span(decoding.logprobs()).subspan(known.size());
  if (stream_ && !fresh.empty()) dialect_->Logprobs(exchange, choice, fresh);
  known.insert(known.end(), fresh.begin(), fresh.end());
}

void ChatWriter::OnToken(Exchange& exchange, size_t job, std::string_view text,
                         const Decoding& decoding) {
  exchange_ = &exchange;
  TellLogprobs(exchange, job, decoding);
  parsers_[job]->Append(text);
}

void ChatWriter::OnEnd(Exchange& exchange, size_t job, const JobListener::End& end) {
  OnToken(exchange, job, end.text, end.decoding);
  parsers_[job]->Finish();
  ChatChoice& choice = choices_[job];
  choice.tokens.assign(end.decoding.answer().begin(), end.decoding.answer().end());
  choice.finish = end.decoding.finish().value_or(FinishReason::kLength);
  choice.stop = end.decoding.stop();
  choice.statistics = end.statistics;
  if (stream_) dialect_->ChoiceEnd(exchange, job, choice);
}

void ChatWriter::Finish(Exchange& exchange, const Usage& usage) {
  if (stream_) return dialect_->End(exchange, choices_, usage);
  RespondJson(exchange, dialect_->Body(choices_, usage));
}

void ChatWriter::Fail(Exchange& exchange, const Status& status) {
  dialect_->Fail(exchange, status);
}

}  // namespace ringlet
