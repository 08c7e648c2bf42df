#include "model/cost.h"

#include <algorithm>
#include <cmath>
#include <variant>

namespace ringlet {
namespace {

// Bytes of a matrix without the padding of its last panel.
double MatrixBytes(const PackedMatrix& matrix) {
  return static_cast<double>(matrix.panel_bytes) * static_cast<double>(matrix.n) /
         static_cast<double>(kPanel);
}

void AddOps(const PackedMatrix& matrix, double rows, StepCost* cost) {
  const double ops = 2.0 * rows * static_cast<double>(matrix.n) * static_cast<double>(matrix.k);
  switch (matrix.format) {
    case PackedFormat::kF32:
      cost->fp32_ops += ops;
      break;
    case PackedFormat::kBf16:
    case PackedFormat::kFp8:
      cost->bf16_ops += ops;
      break;
    case PackedFormat::kQuant:
      cost->int8_ops += ops;
      break;
  }
}

// A matrix that all of `rows` rows multiply.
void AddMatrix(const PackedMatrix& matrix, double rows, StepCost* cost) {
  cost->weight_bytes += MatrixBytes(matrix);
  AddOps(matrix, rows, cost);
}

void AddMlp(const Mlp& mlp, double rows, StepCost* cost) {
  AddMatrix(mlp.gate_up, rows, cost);
  AddMatrix(mlp.down, rows, cost);
}

void AddMoe(const Moe& moe, int64_t rows, StepCost* cost) {
  const auto experts = static_cast<int64_t>(moe.experts.size());
  AddMatrix(moe.router, static_cast<double>(rows), cost);
  if (moe.shared) AddMlp(*moe.shared, static_cast<double>(rows), cost);
  if (experts == 0) return;
  const Mlp& expert = moe.experts[0];
  const double chosen = ExpectedExperts(experts, moe.top_k, rows);
  cost->experts += chosen;
  cost->expert_bytes += chosen * (MatrixBytes(expert.gate_up) + MatrixBytes(expert.down));
  AddOps(expert.gate_up, static_cast<double>(rows * moe.top_k), cost);
  AddOps(expert.down, static_cast<double>(rows * moe.top_k), cost);
}

// Keys and values of one position of one layer.
double PositionBytes(const KvLayout& kv) {
  return static_cast<double>(kv.block_bytes()) / static_cast<double>(kBlockPositions);
}

// Keys and values in fp32 or BF16 are multiplied in fp32, INT8 ones as 16-bit integers, at half the
// rate of 8-bit ones.
void AddAttentionOps(KvType type, double ops, StepCost* cost) {
  if (type == KvType::kInt8) {
    cost->int8_ops += 2.0 * ops;
  } else {
    cost->fp32_ops += ops;
  }
}

// One sequence's rows in one softmax layer: its keys and values are read once in a step, and each
// row multiplies those up to itself.
void AddSoftmax(const MixerSpec& spec, const StepShape& shape, StepCost* cost) {
  const int64_t end = shape.position + shape.rows;
  cost->kv_bytes += PositionBytes(spec.kv) * static_cast<double>(end);
  const double positions =
      0.5 * static_cast<double>(shape.rows) * static_cast<double>(shape.position + 1 + end);
  const auto width = static_cast<double>(spec.heads * spec.kv.head_dim);
  AddAttentionOps(spec.kv.type, 4.0 * width * positions, cost);
}

// One sequence's rows in one lightning layer: the anchor (none in the first chunk) is read once in
// a step, and the tail up to the rows.
void AddLightning(const MixerSpec& spec, const StepShape& shape, StepCost* cost) {
  const auto width = static_cast<double>(spec.heads * spec.kv.head_dim);
  const auto dim = static_cast<double>(spec.kv.head_dim);
  const int64_t first_chunk = shape.position / kBlockPositions * kBlockPositions;
  const int64_t end = shape.position + shape.rows;
  cost->state_bytes += PositionBytes(spec.kv) * static_cast<double>(end - first_chunk);
  if (first_chunk > 0) cost->state_bytes += 4.0 * width * dim;
  double ops = 0;
  for (int64_t position = shape.position; position < end; ++position) {
    ops += 4.0 * width * static_cast<double>(position % kBlockPositions + 1);
    if (position >= kBlockPositions) ops += 2.0 * width * dim;
  }
  // The fold of completed chunks into the anchor.
  const int64_t folds = end / kBlockPositions - shape.position / kBlockPositions;
  ops += 2.0 * width * dim * static_cast<double>(folds * kBlockPositions);
  cost->fp32_ops += ops;
}

// One layer: what all rows share goes to `cost`, what each sequence adds to `mixing`.
void AddBlock(const Block& block, const StepShape& shape, StepCost* cost, StepCost* mixing) {
  const int64_t rows = shape.sequences * shape.rows;
  const auto count = static_cast<double>(rows);
  if (const auto* softmax = std::get_if<SoftmaxMixer>(&block.mixer)) {
    AddMatrix(softmax->qkv, count, cost);
    AddMatrix(softmax->out, count, cost);
    AddSoftmax(softmax->spec, shape, mixing);
  } else {
    const auto& lightning = std::get<LightningMixer>(block.mixer);
    AddMatrix(lightning.qkv, count, cost);
    AddMatrix(lightning.gate, count, cost);
    AddMatrix(lightning.out, count, cost);
    AddLightning(lightning.spec, shape, mixing);
  }
  if (const auto* mlp = std::get_if<Mlp>(&block.feed_forward)) {
    AddMlp(*mlp, count, cost);
  } else {
    AddMoe(std::get<Moe>(block.feed_forward), rows, cost);
  }
}

StepCost CostOfHead(const PackedModel& model, int64_t rows) {
  StepCost cost;
  if (rows == 0) return cost;
  cost.head_bytes = MatrixBytes(model.head);
  AddOps(model.head, static_cast<double>(rows), &cost);
  return cost;
}

}  // namespace

StepCost& StepCost::operator+=(const StepCost& other) {
  weight_bytes += other.weight_bytes;
  expert_bytes += other.expert_bytes;
  experts += other.experts;
  head_bytes += other.head_bytes;
  kv_bytes += other.kv_bytes;
  state_bytes += other.state_bytes;
  int8_ops += other.int8_ops;
  bf16_ops += other.bf16_ops;
  fp32_ops += other.fp32_ops;
  return *this;
}

StepCost& StepCost::operator*=(double factor) {
  for (double* part : {&weight_bytes, &expert_bytes, &experts, &head_bytes, &kv_bytes, &state_bytes,
                       &int8_ops, &bf16_ops, &fp32_ops}) {
    *part *= factor;
  }
  return *this;
}

double ExpectedExperts(int64_t experts, int64_t top_k, int64_t rows) {
  const double missed = 1.0 - static_cast<double>(top_k) / static_cast<double>(experts);
  return static_cast<double>(experts) * (1.0 - std::pow(missed, static_cast<double>(rows)));
}

StepCost CostOfStep(const PackedModel& model, const StepShape& shape) {
  StepCost cost;
  StepCost mixing;  // of one sequence
  for (const Block& block : model.blocks) AddBlock(block, shape, &cost, &mixing);
  const auto sequences = static_cast<double>(shape.sequences);
  cost.kv_bytes = sequences * mixing.kv_bytes;
  cost.state_bytes = sequences * mixing.state_bytes;
  cost.fp32_ops += sequences * mixing.fp32_ops;
  cost.int8_ops += sequences * mixing.int8_ops;
  cost += CostOfHead(model, shape.sequences * shape.logit_rows);
  return cost;
}

StepCost CostOfPrefill(const PackedModel& model, int64_t position, int64_t tokens,
                       int64_t step_rows) {
  StepCost cost;
  for (int64_t done = 0; done < tokens; done += step_rows) {
    const int64_t rows = std::min(step_rows, tokens - done);
    cost += CostOfStep(model, {.sequences = 1,
                               .position = position + done,
                               .rows = rows,
                               .logit_rows = done + rows == tokens ? 1 : 0});
  }
  return cost;
}

StepCost MeanDecodeCost(const PackedModel& model, int64_t sequences, int64_t position,
                        int64_t tokens) {
  StepCost sum;
  for (int64_t i = 0; i < tokens; ++i) {
    sum += CostOfStep(model, {.sequences = sequences, .position = position + i});
  }
  sum *= 1.0 / static_cast<double>(tokens);
  return sum;
}

StepCost WithExperts(StepCost cost, double experts) {
  if (cost.experts > 0) cost.expert_bytes *= experts / cost.experts;
  cost.experts = experts;
  return cost;
}

bool LayersAlike(const PackedModel& model) {
  const auto cost_of = [](const Block& block) {
    StepCost cost;
    AddBlock(block, {.position = kBlockPositions}, &cost, &cost);
    return cost;
  };
  return std::ranges::all_of(model.blocks, [&](const Block& block) {
    return block.mixer.index() == model.blocks.front().mixer.index() &&
           cost_of(block) == cost_of(model.blocks.front());
  });
}

StepCost WithLayers(const PackedModel& model, const StepCost& cost, int64_t logit_rows,
                    double factor) {
  StepCost scaled = cost;
  scaled *= factor;
  StepCost heads = CostOfHead(model, logit_rows);
  heads *= 1 - factor;
  scaled += heads;
  return scaled;
}

double FloorSeconds(const StepCost& cost, const MachineRates& rates) {
  const double compute = cost.int8_ops / rates.int8_ops + cost.bf16_ops / rates.bf16_ops +
                         cost.fp32_ops / rates.fp32_ops;
  return std::max(cost.bytes() / rates.read_bytes, compute);
}

}  // namespace ringlet
