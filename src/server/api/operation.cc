#include "server/api/operation.h"

#include <fmt/format.h>

namespace ringlet {
namespace {

class Metrics {
 public:
  void Gauge(std::string_view name, std::string_view help, double value) {
    Add("gauge", name, help, value);
  }
  void Counter(std::string_view name, std::string_view help, double value) {
    Add("counter", name, help, value);
  }
  std::string text() && { return std::move(text_); }

 private:
  void Add(std::string_view type, std::string_view name, std::string_view help, double value) {
    text_ += fmt::format("# HELP ringlet_{0} {1}\n# TYPE ringlet_{0} {2}\nringlet_{0} {3}\n", name,
                         help, type, value);
  }

  std::string text_;
};

}  // namespace

std::string MetricsText(const BatcherStatistics& batches, const HttpServerStats& http) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  Metrics out;
  out.Gauge("requests_running", "Answers under way.", number(batches.running));
  out.Gauge("requests_waiting", "Answers waiting for their turn.", number(batches.waiting));
  out.Counter("requests_finished_total", "Answers that ended.", number(batches.finished));
  out.Counter("requests_failed_total", "Answers that failed.", number(batches.failed));
  out.Counter("requests_cancelled_total", "Answers whose client left.", number(batches.cancelled));
  out.Counter("preemptions_total", "Answers that had to wait again for memory.",
              number(batches.preemptions));
  out.Counter("prompt_tokens_total", "Tokens of prompts.", number(batches.prompt_tokens));
  out.Counter("prompt_tokens_cached_total", "Tokens of prompts that were not computed again.",
              number(batches.reused_tokens));
  out.Counter("prefill_rows_total", "Rows of prompts computed.", number(batches.prefill_rows));
  out.Counter("decode_rows_total", "Rows of answers computed.", number(batches.decode_rows));
  out.Counter("steps_total", "Steps of the engine.", number(batches.steps));
  out.Counter("step_seconds_total", "Seconds spent in them.", batches.step_seconds);
  out.Gauge("prefix_cache_tokens", "Tokens whose keys and values are kept.",
            number(batches.cached_tokens));
  out.Gauge("sequence_memory_bytes",
            "Bytes of pages and anchors in use, and those set aside for answers.",
            number(batches.memory_bytes));
  out.Gauge("http_connections", "Open connections.", number(http.open_connections));
  out.Counter("http_requests_total", "Requests that were read.", number(http.requests));
  out.Counter("http_refused_total", "Requests refused before they were read.",
              number(http.refused_requests));
  out.Counter("http_disconnects_total", "Clients that left before their answer was complete.",
              number(http.disconnects));
  return std::move(out).text();
}

OrderedJson SlotsJson(const ServedModel& model) {
  OrderedJson slots = OrderedJson::array();
  for (const RunningJob& job : model.batches->running()) {
    slots.push_back({{"id", job.id},
                     {"state", job.answer_tokens > 0 ? "answer" : "prompt"},
                     {"n_ctx", model.context},
                     {"n_computed", job.length},
                     {"n_prompt", job.prompt_tokens},
                     {"n_answer", job.answer_tokens}});
  }
  return slots;
}

OrderedJson PropsJson(const ServedModel& model) {
  return {{"model", model.id},
          {"n_ctx", model.context},
          {"max_sequences", model.batches->batcher().max_sequences()},
          {"chat_template", model.text.has_template()},
          {"thinking", model.text.template_source().find("<think>") != std::string::npos},
          {"version", RINGLET_VERSION}};
}

OrderedJson ModelJson(const ServedModel& model) {
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "ringlet"},
          {"max_model_len", model.context}};
}

}  // namespace ringlet
