#include "server/load/generator.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "server/load/plan.h"

namespace ringlet {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
// After a refusal or a failure a closed loop pauses: else it would do little but repeat it.
constexpr auto kPause = std::chrono::milliseconds(100);

HttpTime Now() { return std::chrono::steady_clock::now(); }

double Seconds(HttpTime from, HttpTime to) {
  return std::chrono::duration<double>(to - from).count();
}

HttpTime After(HttpTime start, double seconds) {
  return start +
         std::chrono::duration_cast<HttpTime::duration>(std::chrono::duration<double>(seconds));
}

HttpHeaders KeyHeader(const std::string& key) {
  if (key.empty()) return {};
  return {{"Authorization", "Bearer " + key}};
}

// One phase: the requests from `first` on. Everything runs on the client's thread.
class Phase {
 public:
  Phase(HttpClient& client, const std::string& prefix, const LoadTestOptions& options,
        const RequestMaker& maker, const LoadWatch& watch, bool warming_up)
      : client_(client),
        target_(prefix + maker.Path()),
        options_(options),
        maker_(maker),
        watch_(watch),
        warming_up_(warming_up),
        arrivals_(options, options.seed) {}

  LoadResult Run(uint64_t first) {
    next_ = first;
    left_ = options_.requests;
    Prepare();
    start_ = Now();
    last_end_ = start_;
    if (options_.rate > 0) {
      Arrive();
    } else {
      for (int64_t i = 0; i < options_.concurrency; ++i) {
        BeginAt(start_);
      }
    }
    client_.At(start_ + kTick, [this] { Tick(); });
    client_.Run();
    result_.seconds = Seconds(start_, last_end_);
    return std::move(result_);
  }

 private:
  // Whether a request may be due `seconds` after the start.
  bool More(double seconds) const {
    return (options_.requests == 0 || left_ > 0) &&
           (options_.seconds == 0 || seconds < options_.seconds);
  }

  // A long body takes a moment to make: that belongs to the time before the request is due.
  void Prepare() { body_ = maker_.Body(next_++); }

  void Arrive() {
    const double due = arrivals_.Next();
    if (More(due)) BeginAt(After(start_, due));
  }

  void BeginAt(HttpTime time) {
    ++coming_;
    client_.At(time, [this, time] {
      --coming_;
      Begin(time);
      if (options_.rate > 0) Arrive();
    });
  }

  void Begin(HttpTime due) {
    if (!More(Seconds(start_, due))) return;
    --left_;
    ++under_way_;
    HttpCall call = JsonCall(target_, std::exchange(body_, {}));
    for (auto& header : KeyHeader(options_.api_key)) call.headers.push_back(std::move(header));
    call.timeout = options_.timeout;
    auto reader = std::make_shared<SampleReader>(due);
    call.on_event = [reader](const SseEvent& event, HttpTime time) {
      reader->OnEvent(event, time);
    };
    call.on_done = [this, reader](const HttpReply& reply) { End(reader->Finish(reply)); };
    client_.Start(std::move(call));
    Prepare();
  }

  void End(LoadSample sample) {
    --under_way_;
    last_end_ = Now();
    const bool completed = sample.outcome == LoadSample::Outcome::kCompleted;
    failed_ += sample.outcome == LoadSample::Outcome::kFailed ? 1 : 0;
    result_.samples.push_back(std::move(sample));
    if (options_.rate > 0) return;
    if (completed) {
      Begin(last_end_);
    } else {
      BeginAt(last_end_ + kPause);
    }
  }

  void Tick() {
    const double seconds = Seconds(start_, Now());
    if (under_way_ == 0 && coming_ == 0) return;
    if (watch_ && !watch_(Progress(seconds))) {
      result_.interrupted = true;
      return client_.Stop();
    }
    client_.At(Now() + kTick, [this] { Tick(); });
  }

  LoadProgress Progress(double seconds) const {
    LoadProgress progress;
    progress.warming_up = warming_up_;
    progress.done = std::ssize(result_.samples);
    progress.failed = failed_;
    progress.under_way = under_way_;
    progress.seconds = seconds;
    const double all = static_cast<double>(options_.requests);
    if (all > 0) progress.share = static_cast<double>(progress.done) / all;
    if (options_.seconds > 0) progress.share = std::max(progress.share, seconds / options_.seconds);
    progress.share = std::min(progress.share, 1.0);
    return progress;
  }

  HttpClient& client_;
  const std::string target_;
  const LoadTestOptions& options_;
  const RequestMaker& maker_;
  const LoadWatch& watch_;
  const bool warming_up_;
  ArrivalTimes arrivals_;
  uint64_t next_ = 0;
  int64_t left_ = 0;
  int64_t under_way_ = 0;
  int64_t failed_ = 0;
  int64_t coming_ = 0;  // requests that a timer will begin
  std::string body_;    // of the next request
  HttpTime start_, last_end_;
  LoadResult result_;
};

// One call whose answer must be JSON.
Result<Json> Ask(HttpClient& client, HttpCall call, const std::string& api_key) {
  const std::string what = fmt::format("{} {}", call.method, call.target);
  for (auto& header : KeyHeader(api_key)) call.headers.push_back(std::move(header));
  call.timeout = std::chrono::seconds(60);
  const HttpReply reply = client.Fetch(std::move(call));
  if (!reply.status.ok()) return reply.status.WithContext(what);
  if (reply.code != 200) {
    return BadInput(what, "", fmt::format("HTTP {}, {}", reply.code, ErrorText(reply.body)), "200");
  }
  return ParseJson(reply.body, what);
}

Result<std::string> FirstModel(HttpClient& client, const ServerUrl& url, const std::string& key) {
  HttpCall call;
  call.method = "GET";
  call.target = url.prefix + "/v1/models";
  RINGLET_ASSIGN_OR_RETURN(const Json answer, Ask(client, std::move(call), key));
  const Json id = answer.is_object() && answer.contains("data") && answer["data"].is_array() &&
                          !answer["data"].empty() && answer["data"][0].is_object()
                      ? answer["data"][0].value("id", Json())
                      : Json();
  if (!id.is_string()) return BadInput("GET /v1/models", "data", "no model", "a model with an id");
  return id.get<std::string>();
}

Status FillIds(HttpClient& client, const ServerUrl& url, const LoadTestOptions& options,
               PromptWord& word) {
  // Servers differ in what they call the text.
  const Json body = {{"model", options.model},
                     {"content", word.text},
                     {"prompt", word.text},
                     {"add_special", false},
                     {"add_special_tokens", false}};
  RINGLET_ASSIGN_OR_RETURN(
      const Json answer,
      Ask(client, JsonCall(url.prefix + "/tokenize", body.dump()), options.api_key));
  const Json ids = answer.is_object() ? answer.value("tokens", Json()) : Json();
  const bool fits = ids.is_array() && !ids.empty() && ids.size() <= 64 &&
                    std::ranges::all_of(ids, [](const Json& id) { return id.is_number_integer(); });
  if (!fits) return BadInput("POST /tokenize", "tokens", JsonBrief(ids), "ids of a word");
  word.ids = ids.get<std::vector<int32_t>>();
  return Status::Ok();
}

}  // namespace

Result<LoadResult> RunLoad(const ServerUrl& url, const LoadTestOptions& given,
                           const LoadWatch& watch) {
  RINGLET_RETURN_IF_ERROR(CheckLoadTestOptions(given));
  RINGLET_ASSIGN_OR_RETURN(const std::unique_ptr<HttpClient> client,
                           HttpClient::Create(url.host, url.port));
  LoadTestOptions options = given;
  if (options.model.empty()) {
    RINGLET_ASSIGN_OR_RETURN(options.model, FirstModel(*client, url, options.api_key));
  }
  std::vector<PromptWord> words = PromptWords();
  for (PromptWord& word : words) {
    RINGLET_RETURN_IF_ERROR(FillIds(*client, url, options, word));
  }
  const RequestMaker maker(options, std::move(words));
  if (options.warmup > 0) {
    LoadTestOptions warmup = options;
    warmup.requests = options.warmup;
    warmup.rate = warmup.seconds = 0;
    if (options.rate > 0) warmup.concurrency = 1;
    LoadResult warm = Phase(*client, url.prefix, warmup, maker, watch, true).Run(uint64_t{1} << 32);
    if (warm.interrupted) return LoadResult{options.model, 0, true, {}};
  }
  LoadResult result = Phase(*client, url.prefix, options, maker, watch, false).Run(0);
  result.model = options.model;
  return result;
}

}  // namespace ringlet
