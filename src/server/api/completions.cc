#include "server/api/completions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "io/utf8.h"
#include "server/api/answers.h"
#include "server/api/fields.h"
#include "server/api/prompts.h"
#include "server/api/sampling_fields.h"
#include "server/api/stream_events.h"

namespace ringlet {
namespace {

constexpr int64_t kDefaultTokens = 16;  // OpenAI's

struct CompletionRequest {
  std::vector<std::vector<int32_t>> prompts;
  GenerateOptions options;
  int64_t n = 1;
  bool echo = false;
  StreamFields streaming;
};

CompletionRequest ReadCompletion(Fields& fields, const ServedModel& model) {
  CompletionRequest request;
  request.prompts = ReadPrompts(fields, model, "prompt");
  request.options = ReadSampling(fields, model);
  request.options.max_tokens = fields.Integer("max_tokens", 0, kMaxTokens).value_or(kDefaultTokens);
  request.options.stop = fields.Strings("stop", kMaxStops).value_or(std::vector<std::string>());
  request.options.top_logprobs =
      static_cast<int>(fields.Integer("logprobs", 0, kMaxTopLogprobs).value_or(-1));
  request.n = fields.Integer("n", 1, kMaxChoices).value_or(1);
  const int64_t best_of = fields.Integer("best_of", 1, kMaxChoices).value_or(request.n);
  if (best_of != request.n) {
    fields.Fail("best_of", fmt::format("{}", best_of), fmt::format("{}, the same as n", request.n));
  }
  request.echo = fields.Bool("echo").value_or(false);
  request.streaming = ReadStream(fields);
  if (const auto suffix = fields.String("suffix"); suffix && !suffix->empty()) {
    fields.Fail("suffix", "a text", "none: this model does not fill in the middle");
  }
  fields.Ignore({"model", "user"});
  return request;
}

// OpenAI's table of log-probabilities: parallel arrays over tokens.
class LogprobsTable {
 public:
  LogprobsTable(const ServedModel& model, int64_t offset) : model_(model), offset_(offset) {}

  void Add(int32_t id, const TokenLogprobs* scores) {
    const std::string text = model_.TokenText(id);
    tokens_.push_back(text);
    offsets_.push_back(offset_);
    offset_ += CountCharacters(model_.text.tokenizer().TokenBytes(id));
    token_logprobs_.push_back(scores == nullptr ? OrderedJson()
                                                : OrderedJson(scores->token.logprob));
    OrderedJson top;
    if (scores != nullptr) {
      top = OrderedJson::object();
      for (const ScoredToken& token : scores->top) top[model_.TokenText(token.id)] = token.logprob;
      // As OpenAI's server: the token itself is always there.
      top[text] = scores->token.logprob;
    }
    top_logprobs_.push_back(std::move(top));
  }
  int64_t offset() const { return offset_; }
  OrderedJson Json() const {
    return {{"tokens", tokens_},
            {"token_logprobs", token_logprobs_},
            {"top_logprobs", top_logprobs_},
            {"text_offset", offsets_}};
  }

 private:
  static int64_t CountCharacters(std::string_view bytes) {
    return std::ranges::count_if(bytes, [](char c) { return (c & 0xC0) != 0x80; });
  }

  const ServedModel& model_;
  int64_t offset_;
  OrderedJson tokens_ = OrderedJson::array();
  OrderedJson token_logprobs_ = OrderedJson::array();
  OrderedJson top_logprobs_ = OrderedJson::array();
  OrderedJson offsets_ = OrderedJson::array();
};

class CompletionWriter : public AnswerWriter {
 public:
  CompletionWriter(const ServedModel& model, CompletionRequest request)
      : model_(model),
        request_(std::move(request)),
        id_(NewId("cmpl-")),
        created_(UnixSeconds()),
        choices_(request_.prompts.size() * static_cast<size_t>(request_.n)) {}

  void Begin(Exchange& exchange) override {
    if (request_.streaming.stream) BeginEvents(exchange);
  }

  void OnToken(Exchange& exchange, size_t job, std::string_view text,
               const Decoding& decoding) override {
    if (!request_.streaming.stream) {
      choices_[job].text += text;
      return;
    }
    // Tokens whose text is not final come with the next that is.
    if (!text.empty()) Stream(exchange, job, text, decoding, nullptr);
  }

  void OnEnd(Exchange& exchange, size_t job, const JobListener::End& end) override {
    if (request_.streaming.stream) return Stream(exchange, job, end.text, end.decoding, &end);
    Choice& choice = choices_[job];
    choice.text += end.text;
    choice.json = ChoiceJson(job, choice.text, end.decoding, &end);
  }

  void Finish(Exchange& exchange, const Usage& usage) override {
    if (request_.streaming.stream) {
      if (request_.streaming.include_usage) {
        OrderedJson chunk = Envelope(OrderedJson::array());
        chunk["usage"] = UsageJson(usage);
        WriteEvent(exchange, chunk);
      }
      return EndEvents(exchange);
    }
    OrderedJson choices = OrderedJson::array();
    for (Choice& choice : choices_) choices.push_back(std::move(choice.json));
    OrderedJson body = Envelope(std::move(choices));
    body["usage"] = UsageJson(usage);
    RespondJson(exchange, body);
  }

  void Fail(Exchange& exchange, const Status& status) override { FailOpenAi(exchange, status); }

 private:
  struct Choice {
    std::string text;
    OrderedJson json;
    size_t told = 0;     // tokens whose log-probabilities were written
    int64_t offset = 0;  // characters before the next token
    bool begun = false;  // the prompt was echoed
  };

  OrderedJson Envelope(OrderedJson choices) const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_.id},
            {"choices", std::move(choices)}};
  }

  void Stream(Exchange& exchange, size_t job, std::string_view text, const Decoding& decoding,
              const JobListener::End* end) {
    OrderedJson choices = OrderedJson::array();
    choices.push_back(ChoiceJson(job, text, decoding, end));
    WriteEvent(exchange, Envelope(std::move(choices)));
  }

  // What is new since the last call. With `echo` the prompt's scores are known at the end only, so
  // an echo with log-probabilities is not streamed (AnswerCompletion).
  OrderedJson ChoiceJson(size_t job, std::string_view text, const Decoding& decoding,
                         const JobListener::End* end) {
    Choice& choice = choices_[job];
    LogprobsTable table(model_, choice.offset);
    std::string shown;
    if (request_.echo && !choice.begun) {
      const auto prompt = decoding.tokens().first(static_cast<size_t>(decoding.prompt_size()));
      shown = ReplaceInvalidUtf8(model_.text.tokenizer().Decode(prompt, true));
      for (size_t i = 0; end != nullptr && i < prompt.size(); ++i) {
        const bool scored = i > 0 && i <= end->prompt_scores.size();
        table.Add(prompt[i], scored ? &end->prompt_scores[i - 1] : nullptr);
      }
    }
    choice.begun = true;
    for (; choice.told < decoding.logprobs().size(); ++choice.told) {
      table.Add(decoding.answer()[choice.told], &decoding.logprobs()[choice.told]);
    }
    choice.offset = table.offset();
    OrderedJson json = {{"text", shown + std::string(text)}, {"index", job}};
    json["logprobs"] = request_.options.top_logprobs >= 0 ? table.Json() : OrderedJson();
    json["finish_reason"] =
        end != nullptr ? OrderedJson(OpenAiFinishReason(decoding)) : OrderedJson();
    return json;
  }

  const ServedModel& model_;
  const CompletionRequest request_;
  const std::string id_;
  const int64_t created_;
  std::vector<Choice> choices_;
};

}  // namespace

void AnswerCompletion(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body) {
  Fields fields(body);
  CompletionRequest request = ReadCompletion(fields, model);
  const bool scored = request.echo && request.options.top_logprobs >= 0;
  if (scored && request.streaming.stream) {
    fields.Fail("stream", "true", "false, where echo and logprobs are asked for");
  }
  if (Refused(fields, *exchange)) return;
  std::vector<JobRequest> jobs;
  std::vector<size_t> prompt_of;
  for (size_t p = 0; p < request.prompts.size(); ++p) {
    for (int64_t i = 0; i < request.n; ++i) {
      GenerateOptions options = request.options;
      options.sampler.seed += static_cast<uint64_t>(i);
      jobs.push_back(model.MakeJob(request.prompts[p], std::move(options)));
      jobs.back().score_prompt = scored;
      prompt_of.push_back(p);
    }
  }
  StartAnswers(model, std::move(exchange), std::move(jobs), std::move(prompt_of),
               std::make_unique<CompletionWriter>(model, std::move(request)));
}

}  // namespace ringlet
