// Lines of the log.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/json.h"
#include "train/log/run_log.h"

namespace ringlet {
namespace {

// JSON has no numbers for these.
OrderedJson NumberJson(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

bool ReadNumber(const Json& json, double* out) {
  if (json.is_number()) {
    *out = json.get<double>();
  } else if (json == "nan") {
    *out = std::numeric_limits<double>::quiet_NaN();
  } else if (json == "inf" || json == "-inf") {
    *out = (json == "inf" ? 1 : -1) * std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

OrderedJson NumbersJson(const std::vector<double>& values) {
  OrderedJson json = OrderedJson::array();
  for (const double value : values) json.push_back(NumberJson(value));
  return json;
}

OrderedJson ToJson(const StartRecord& start) {
  return {{"kind", "start"},
          {"step", start.step},
          {"name", start.name},
          {"model", start.model},
          {"parameters", start.parameters},
          {"total_steps", start.total_steps},
          {"threads", start.threads},
          {"processor", start.processor},
          {"config", start.config}};
}

OrderedJson ToJson(const StepRecord& step) {
  OrderedJson json = {{"kind", "step"},
                      {"step", step.step},
                      {"tokens", step.tokens},
                      {"loss", NumberJson(step.loss)},
                      {"lr", NumberJson(step.lr)},
                      {"grad_norm", NumberJson(step.grad_norm)},
                      {"seconds", NumberJson(step.seconds)},
                      {"tokens_per_second", NumberJson(step.tokens_per_second)},
                      {"peak_share", NumberJson(step.peak_share)},
                      {"memory_bytes", step.memory_bytes}};
  if (!step.skipped.empty()) json["skipped"] = step.skipped;
  if (step.heldout_loss) json["heldout_loss"] = NumberJson(*step.heldout_loss);
  if (step.mtp_loss) json["mtp_loss"] = NumberJson(*step.mtp_loss);
  if (!step.load_cv.empty()) json["load_cv"] = NumbersJson(step.load_cv);
  if (!step.load_max.empty()) json["load_max"] = NumbersJson(step.load_max);
  return json;
}

// Reads optional keys of one line; remembers the first that has a wrong type.
class LineReader {
 public:
  LineReader(const Json& json, const std::string& source) : json_(json), source_(source) {}

  void Read(const char* key, std::string* out) {
    if (const Json* value = Find(key)) {
      if (value->is_string()) {
        *out = value->get<std::string>();
      } else {
        Fail(key, *value, "a string");
      }
    }
  }
  void Read(const char* key, double* out) {
    const Json* value = Find(key);
    if (value != nullptr && !ReadNumber(*value, out)) Fail(key, *value, "a number");
  }
  void Read(const char* key, int64_t* out) {
    if (const Json* value = Find(key)) {
      if (value->is_number_unsigned() && value->get<uint64_t>() <= uint64_t{INT64_MAX}) {
        *out = value->get<int64_t>();
      } else {
        Fail(key, *value, "a count");
      }
    }
  }
  void Read(const char* key, uint64_t* out) {
    int64_t value = static_cast<int64_t>(*out);
    Read(key, &value);
    *out = static_cast<uint64_t>(value);
  }
  void Read(const char* key, std::vector<double>* out) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(key, *value, "an array");
    for (const Json& item : *value) {
      double number = 0;
      if (!ReadNumber(item, &number)) return Fail(key, item, "numbers");
      out->push_back(number);
    }
  }
  void Read(const char* key, std::optional<double>* out) {
    if (Find(key) == nullptr) return;
    double number = 0;
    Read(key, &number);
    *out = number;
  }
  const Status& status() const { return status_; }

 private:
  const Json* Find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  void Fail(const char* key, const Json& value, std::string_view expected) {
    if (status_.ok()) status_ = BadInput(source_, key, JsonBrief(value), expected);
  }

  const Json& json_;
  const std::string& source_;
  Status status_;
};

}  // namespace

std::string LogLine(const LogRecord& record) {
  const OrderedJson json = std::visit([](const auto& value) { return ToJson(value); }, record);
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<LogRecord> ParseLogLine(std::string_view line, const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const Json json, ParseJson(line, source));
  if (!json.is_object()) return BadInput(source, "", JsonBrief(json), "an object");
  LineReader reader(json, source);
  std::string kind;
  reader.Read("kind", &kind);
  if (kind == "start") {
    StartRecord start;
    reader.Read("step", &start.step);
    reader.Read("name", &start.name);
    reader.Read("model", &start.model);
    reader.Read("parameters", &start.parameters);
    reader.Read("total_steps", &start.total_steps);
    reader.Read("threads", &start.threads);
    reader.Read("processor", &start.processor);
    reader.Read("config", &start.config);
    RINGLET_RETURN_IF_ERROR(reader.status());
    return LogRecord(std::move(start));
  }
  if (kind != "step") return BadInput(source, "kind", JsonBrief(Json(kind)), "start or step");
  StepRecord step;
  reader.Read("step", &step.step);
  reader.Read("tokens", &step.tokens);
  reader.Read("loss", &step.loss);
  reader.Read("lr", &step.lr);
  reader.Read("grad_norm", &step.grad_norm);
  reader.Read("seconds", &step.seconds);
  reader.Read("tokens_per_second", &step.tokens_per_second);
  reader.Read("peak_share", &step.peak_share);
  reader.Read("memory_bytes", &step.memory_bytes);
  reader.Read("skipped", &step.skipped);
  reader.Read("heldout_loss", &step.heldout_loss);
  reader.Read("mtp_loss", &step.mtp_loss);
  reader.Read("load_cv", &step.load_cv);
  reader.Read("load_max", &step.load_max);
  RINGLET_RETURN_IF_ERROR(reader.status());
  return LogRecord(std::move(step));
}

}  // namespace ringlet
