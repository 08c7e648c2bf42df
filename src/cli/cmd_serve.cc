// ringlet serve: a model behind HTTP.
#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/sampling_args.h"
#include "cli/stop_signal.h"
#include "engine/batch_thread.h"
#include "model/text_model.h"
#include "server/api/api_server.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxPort = 65535;
constexpr int64_t kMaxSequences = 1024;
// Of the memory that is left when the model is loaded, without --memory.
constexpr double kMemoryShare = 0.6;

class ServeCommand : public Command {
 public:
  std::string_view name() const override { return "serve"; }
  std::string_view summary() const override { return "Serve a model over HTTP, with a chat page"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet serve MODEL --port 8080\n"
           "Then open http://127.0.0.1:8080 in a browser, or point an OpenAI client at\n"
           "http://127.0.0.1:8080/v1. Ctrl-C lets answers end; a second one does not.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.Option("--host", host_, "HOST", "Address to listen on [127.0.0.1]");
    args.Option("--port", port_, "N", "Port; 0: any that is free [8080]");
    args.Option("--api-key", api_keys_, "KEY", "Ask clients for this key (may be repeated)");
    args.Option("--api-key-file", api_key_file_, "FILE", "The same, one key a line");
    args.Option("--cors", origins_, "ORIGIN",
                "Let browsers call from pages of this origin; *: of any (may be repeated)");
    args.Option("--name", name_, "NAME", "What clients call the model [its file's name]");
    args.Option("--session-dir", session_directory_, "DIR",
                "Let clients save conversations here (/sessions)");
    args.Flag("--log-requests", log_requests_, "Write a line of JSON for each request to stderr");
    args.Flag("--no-page", no_page_, "No chat page at /");
    args.Group("Limits");
    args.Option("--ctx", context_, "N",
                "Tokens of a prompt and its answer [as many as the model and memory allow]");
    args.Option("--max-seqs", sequences_, "N", "Answers under way at a time [16]");
    args.Option("--max-queue", queue_, "N", "Requests that may wait for their turn [128]");
    args.Option("--memory", memory_gib_, "GIB",
                "For keys, values and states of sequences [60% of what is free]");
    args.Option("--max-slowdown", slowdown_, "X",
                "Prompts may make a step so many times longer for answers under way [1.8]");
    args.Flag("--no-reuse", no_reuse_, "Compute every prompt from its first token");
    args.Option("--max-body", body_mib_, "MIB", "Size of a request [8]");
    args.Option("--drain", drain_seconds_, "S", "Wait so long for answers when stopping [30]");
    args.Group("Options");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
    sampling_.Declare(args);
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = CheckFlags(); !status.ok()) return Outcome::Usage(status.message());
    ApiServerOptions options = ServerOptions();
    if (api_key_file_) {
      RINGLET_ASSIGN_OR_RETURN(const std::string keys, ReadFile(*api_key_file_, 1 << 20));
      AddKeys(keys, options.api_keys);
      if (options.api_keys.empty()) return Outcome(BadInput(*api_key_file_, "", "no key", "one"));
    }
    Result<Checkpoint> checkpoint = OpenCheckpoint(request_.path);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    ServedModel served;
    RINGLET_ASSIGN_OR_RETURN(served.text, LoadTextModel(*checkpoint));
    RINGLET_ASSIGN_OR_RETURN(served.sampling,
                             sampling_.Resolve(request_.path, served.text.tokenizer()));
    RINGLET_ASSIGN_OR_RETURN(LoadedModel loaded,
                             PackModel(*std::move(checkpoint), request_, globals));
    loaded.engine.reset();
    return Serve(std::move(served), loaded, std::move(options), globals);
  }

 private:
  Status CheckFlags() const {
    RINGLET_RETURN_IF_ERROR(sampling_.Check());
    RINGLET_RETURN_IF_ERROR(CheckCompute(request_.compute));
    RINGLET_RETURN_IF_ERROR(CheckKvDtype(request_.kv_dtype));
    const struct {
      const char* flag;
      double value, min, max;
    } ranges[] = {{"--port", static_cast<double>(port_), 0, kMaxPort},
                  {"--ctx", static_cast<double>(context_), 0, 1 << 30},
                  {"--max-seqs", static_cast<double>(sequences_), 1, kMaxSequences},
                  {"--max-queue", static_cast<double>(queue_), 1, 1 << 20},
                  {"--memory", memory_gib_.value_or(1), 0.001, 1 << 20},
                  {"--max-slowdown", slowdown_, 1, 1000},
                  {"--max-body", static_cast<double>(body_mib_), 1, 4096},
                  {"--drain", drain_seconds_, 0, 86400}};
    for (const auto& [flag, value, min, max] : ranges) {
      if (value >= min && value <= max) continue;
      return BadInput(flag, "", fmt::format("{}", value), fmt::format("{} to {}", min, max));
    }
    return Status::Ok();
  }

  ApiServerOptions ServerOptions() const {
    ApiServerOptions options;
    options.http.host = host_;
    options.http.port = static_cast<int>(port_);
    options.http.max_body_bytes = static_cast<uint64_t>(body_mib_) << 20;
    options.api_keys = api_keys_;
    options.origins = origins_;
    options.page = !no_page_;
    return options;
  }

  static void AddKeys(const std::string& text, std::vector<std::string>& keys) {
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string key = text.substr(at, end - at);
      while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
      if (!key.empty()) keys.push_back(std::move(key));
      at = end + 1;
    }
  }

  Result<std::unique_ptr<Batcher>> MakeBatcher(const LoadedModel& loaded) const {
    BatcherOptions options;
    options.max_sequences = sequences_;
    options.memory_bytes =
        static_cast<size_t>(memory_gib_ ? *memory_gib_ * 1073741824.0
                                        : static_cast<double>(AvailableMemory()) * kMemoryShare);
    options.context = context_;
    options.max_slowdown = slowdown_;
    options.reuse = !no_reuse_;
    return Batcher::Create(loaded.model, loaded.context, options);
  }

  Outcome Serve(ServedModel served, const LoadedModel& loaded, ApiServerOptions options,
                const GlobalOptions& globals) const {
    Result<std::unique_ptr<Batcher>> batcher = MakeBatcher(loaded);
    if (!batcher.ok()) {
      return Outcome(batcher.status())
          .WithHint("give more --memory, fewer --max-seqs or a shorter --ctx");
    }
    served.id = name_.empty() ? ModelName() : name_;
    served.seed = sampling_.seed();
    if (log_requests_) served.log = LogLine;
    served.session_directory = session_directory_;
    served.created = UnixSeconds();
    served.end_ids = EndIds(loaded.model->config(), served.text);
    served.vocab =
        std::min<int64_t>(loaded.model->config().vocab, served.text.tokenizer().vocab_size());
    served.context = (*batcher)->context();
    served.grammars = std::make_unique<GrammarCache>(served.text.tokenizer());
    served.batches = std::make_unique<BatchThread>(std::move(batcher).value(), queue_);
    const std::string id = served.id;
    const int64_t context = served.context;
    StopSignal stop;
    RINGLET_ASSIGN_OR_RETURN(const std::unique_ptr<ApiServer> server,
                             ApiServer::Start(std::move(served), std::move(options)));
    if (!globals.quiet) {
      fmt::print(stderr, "ringlet: {} at http://{}:{} (context {}, {} sequences); Ctrl-C stops\n",
                 id, host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]",
                 server->port(), FormatCount(static_cast<uint64_t>(context)), sequences_);
    }
    stop.Wait();
    if (!globals.quiet) fmt::print(stderr, "ringlet: stopping when the answers under way end\n");
    const bool drained =
        server->Drain(std::chrono::milliseconds(static_cast<int64_t>(drain_seconds_ * 1000)));
    if (!drained && !globals.quiet) fmt::print(stderr, "ringlet: some answers were cut off\n");
    return {};
  }

  static void LogLine(const OrderedJson& line) {
    fmt::print(stderr, "{}\n", line.dump(-1, ' ', true, OrderedJson::error_handler_t::replace));
  }

  std::string ModelName() const {
    std::string path = request_.path;
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    std::string file = path.substr(path.rfind('/') + 1);
    return file.ends_with(".gguf") ? file.substr(0, file.size() - 5) : file;
  }

  ModelRequest request_;
  std::string host_ = "127.0.0.1";
  int64_t port_ = 8080;
  std::vector<std::string> api_keys_;
  std::optional<std::string> api_key_file_;
  std::vector<std::string> origins_;
  std::string name_;
  std::string session_directory_;
  bool log_requests_ = false;
  bool no_page_ = false;
  int64_t context_ = 0;
  int64_t sequences_ = 16;
  int64_t queue_ = 128;
  std::optional<double> memory_gib_;
  double slowdown_ = 1.8;
  bool no_reuse_ = false;
  int64_t body_mib_ = 8;
  double drain_seconds_ = 30;
  SamplingArgs sampling_;
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace ringlet::cli
