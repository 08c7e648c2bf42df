// Lightning attention: a row of many sequences in turn, each with an anchor and a tail of its own,
// and a prompt.
#include <cmath>

#include <fmt/format.h>

#include "bench/case_data.h"
#include "bench/op_cases.h"
#include "bench/work.h"
#include "ops/lightning/lightning.h"

namespace ringlet {
namespace {

struct LightningData {
  DecayTable decay;
  std::shared_ptr<RandomBlocks> blocks;
  std::vector<std::vector<const std::byte*>> chunks;  // of each copy
  std::vector<float> anchors;
  std::vector<float> next_anchor;
  std::vector<float> q;
  std::vector<float> out;
  int64_t next = 0;
};

// Rows from `slot` of the second chunk of a sequence on.
OpCase LightningCase(const LightningShape& shape, int64_t slot, int64_t rows, double per_token,
                     int64_t set) {
  const int64_t dim = shape.kv.head_dim;
  const int64_t width = shape.heads * dim;
  const int64_t chunks = (slot + rows + kBlockPositions - 1) / kBlockPositions;
  const auto count = static_cast<double>(rows);
  OpCase op;
  op.op = "lightning";
  op.shape = rows == 1 ? fmt::format("slot {}, 1 row", slot) : Rows(rows);
  // The anchor, and keys and values up to the last row.
  op.work.bytes = 4.0 * static_cast<double>(width * dim) +
                  static_cast<double>(shape.kv.block_bytes()) / kBlockPositions *
                      static_cast<double>(slot + rows);
  const double bytes = op.work.bytes;
  double ops = 0;
  for (int64_t i = slot; i < slot + rows; ++i) {
    ops += 4.0 * static_cast<double>(width * (i % kBlockPositions + 1));
  }
  ops += 2.0 * static_cast<double>(width * dim) * count;
  const int64_t folded = (slot + rows) / kBlockPositions * kBlockPositions;
  ops += 2.0 * static_cast<double>(width * dim * folded);
  op.work.fp32_ops = ops;
  op.per_token = per_token;
  op.make = [=](Context& context) {
    auto data = std::make_shared<LightningData>();
    std::vector<double> log_lambda;
    for (int64_t h = 0; h < shape.heads; ++h)
      log_lambda.push_back(-0.5 / static_cast<double>(h + 1));
    data->decay = MakeDecayTable(log_lambda);
    const int64_t copies = rows == 1 ? CopiesOf(bytes, set) : 1;
    data->blocks = std::make_shared<RandomBlocks>(context, shape.kv, copies * chunks);
    for (int64_t i = 0; i < copies; ++i) {
      data->chunks.push_back(data->blocks->Pointers(i * chunks, chunks));
    }
    Rng rng(1);
    const std::vector<float> anchor = RandomFloats(&rng, width * dim, 4.0f);
    data->anchors.reserve(anchor.size() * static_cast<size_t>(copies));
    for (int64_t i = 0; i < copies; ++i) {
      data->anchors.insert(data->anchors.end(), anchor.begin(), anchor.end());
    }
    data->next_anchor.resize(anchor.size());
    data->q = RandomFloats(&rng, rows * width);
    data->out.resize(data->q.size());
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
    return OpRun{
        [&context, data, slot, rows, scale, kv = shape.kv, stride = width * dim] {
          const LightningFeed feed{.q = data->q.data(),
                                   .out = data->out.data(),
                                   .rows = rows,
                                   .first_slot = slot,
                                   .chunks = data->chunks[static_cast<size_t>(data->next)].data(),
                                   .anchor = data->anchors.data() + data->next * stride,
                                   .next_anchor = data->next_anchor.data()};
          Lightning(
              context,
              {.kv = kv, .scale = scale, .decay = &data->decay, .feeds = std::span(&feed, 1)});
          data->next = (data->next + 1) % static_cast<int64_t>(data->chunks.size());
        },
        {}};
  };
  return op;
}

}  // namespace

void AddLightningCases(const ModelShapes& shapes, const OpCaseOptions& options,
                       std::vector<OpCase>* cases) {
  const LightningShape& lightning = shapes.lightning;
  if (lightning.layers == 0) return;
  // Half a tail: what a token finds on average.
  const int64_t set = options.working_set;
  const auto layers = static_cast<double>(lightning.layers);
  cases->push_back(LightningCase(lightning, 31, 1, layers, set));
  cases->push_back(LightningCase(lightning, 0, 1, 0, set));
  cases->push_back(LightningCase(lightning, 62, 1, 0, set));
  cases->push_back(LightningCase(lightning, 0, options.prefill_rows, 0, set));
}

}  // namespace ringlet
