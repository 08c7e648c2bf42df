#include "server/api/embeddings.h"

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/api/answers.h"
#include "server/api/fields.h"
#include "server/api/prompts.h"
#include "server/api/stream_events.h"

namespace ringlet {
namespace {

std::string Base64(const std::vector<float>& values) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? bytes[i + k] : 0);
    for (size_t k = 0; k < 4; ++k) {
      out += k <= count ? kDigits[(bits >> (18 - 6 * k)) & 63] : '=';
    }
  }
  return out;
}

std::vector<float> Unit(std::span<const double> mean, size_t dimensions) {
  mean = mean.first(dimensions);
  double squares = 0;
  for (const double value : mean) squares += value * value;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> unit;
  for (const double value : mean) unit.push_back(static_cast<float>(value * scale));
  return unit;
}

class EmbeddingsWriter : public AnswerWriter {
 public:
  EmbeddingsWriter(const ServedModel& model, size_t texts, size_t dimensions, bool base64)
      : model_(model), dimensions_(dimensions), base64_(base64), vectors_(texts) {}

  void OnEnd(Exchange&, size_t job, const JobListener::End& end) override {
    vectors_[job] = Unit(end.mean_hidden, std::min(dimensions_, end.mean_hidden.size()));
  }

  void Finish(Exchange& exchange, const Usage& usage) override {
    OrderedJson data = OrderedJson::array();
    for (size_t i = 0; i < vectors_.size(); ++i) {
      OrderedJson embedding = base64_ ? OrderedJson(Base64(vectors_[i])) : OrderedJson(vectors_[i]);
      data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(embedding)}});
    }
    RespondJson(
        exchange,
        {{"object", "list"},
         {"data", std::move(data)},
         {"model", model_.id},
         {"usage",
          {{"prompt_tokens", usage.prompt_tokens}, {"total_tokens", usage.prompt_tokens}}}});
  }

  void Fail(Exchange& exchange, const Status& status) override { FailOpenAi(exchange, status); }

 private:
  const ServedModel& model_;
  const size_t dimensions_;
  const bool base64_;
  std::vector<std::vector<float>> vectors_;
};

}  // namespace

void AnswerEmbeddings(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body) {
  Fields fields(body);
  std::vector<std::vector<int32_t>> texts = ReadPrompts(fields, model, "input");
  const bool base64 = fields.OneOf("encoding_format", {"float", "base64"}) == "base64";
  const int64_t hidden = model.batches->batcher().hidden();
  const int64_t dimensions = fields.Integer("dimensions", 1, hidden).value_or(hidden);
  fields.Ignore({"model", "user"});
  if (Refused(fields, *exchange)) return;
  GenerateOptions options;
  options.max_tokens = 0;
  std::vector<JobRequest> jobs;
  std::vector<size_t> prompt_of;
  for (std::vector<int32_t>& text : texts) {
    jobs.push_back(model.MakeJob(std::move(text), options));
    jobs.back().mean_hidden = true;
    prompt_of.push_back(prompt_of.size());
  }
  auto writer = std::make_unique<EmbeddingsWriter>(model, texts.size(),
                                                   static_cast<size_t>(dimensions), base64);
  StartAnswers(model, std::move(exchange), std::move(jobs), std::move(prompt_of),
               std::move(writer));
}

}  // namespace ringlet
