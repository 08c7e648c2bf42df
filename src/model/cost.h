// What a step must read and compute: the floors that measured speeds are held against
// (docs/benchmarks.md states the formulas).
//
// Counted is what no implementation with these weights and caches can leave out. Norms, rotations,
// activations, the embedding rows and the router's choice are not: together they are below one
// percent. Operations count a multiply-add as two.
#pragma once

#include <cstdint>

#include "model/packed.h"
#include "ops/limits/limits.h"

namespace ringlet {

struct StepCost {
  // Bytes read.
  double weight_bytes = 0;  // matrices that every row uses, without the head
  double expert_bytes = 0;  // routed experts that some row uses
  double head_bytes = 0;
  double experts = 0;      // how many routed experts those are, summed over layers
  double kv_bytes = 0;     // keys and values of softmax layers
  double state_bytes = 0;  // anchors and tails of lightning layers
  // Operations by the units that do them: quantized weights times INT8 rows, BF16 and FP8
  // weights, the rest.
  double int8_ops = 0;
  double bf16_ops = 0;
  double fp32_ops = 0;

  double bytes() const { return weight_bytes + expert_bytes + head_bytes + kv_bytes + state_bytes; }
  double ops() const { return int8_ops + bf16_ops + fp32_ops; }
  StepCost& operator+=(const StepCost& other);
  StepCost& operator*=(double factor);
  bool operator==(const StepCost& other) const = default;
};

// Equal rows of several sequences computed together.
struct StepShape {
  int64_t sequences = 1;
  int64_t position = 0;    // of each sequence's first row
  int64_t rows = 1;        // of each sequence, consecutive
  int64_t logit_rows = 1;  // of each sequence
};

// Routed experts are counted as expected with uniform, independent routing: of E experts, T rows
// choosing k each touch E (1 - (1 - k/E)^T).
StepCost CostOfStep(const PackedModel& model, const StepShape& shape);

// `tokens` tokens of a prompt from `position` on, in steps of at most `step_rows` rows, with the
// logits of the last row.
StepCost CostOfPrefill(const PackedModel& model, int64_t position, int64_t tokens,
                       int64_t step_rows);

// Mean over `tokens` decode steps of `sequences` sequences, the first at `position`.
StepCost MeanDecodeCost(const PackedModel& model, int64_t sequences, int64_t position,
                        int64_t tokens);

// The same step if its rows choose `experts` routed experts, summed over layers: what was counted
// instead of what uniform routing is expected to choose.
StepCost WithExperts(StepCost cost, double experts);

// Whether all layers have the same matrices and caches, so that any of them stands for another.
bool LayersAlike(const PackedModel& model);

// What `cost` would be with `factor` times as many layers. The head, which `logit_rows` of its rows
// went through, stays one.
StepCost WithLayers(const PackedModel& model, const StepCost& cost, int64_t logit_rows,
                    double factor);

// The least time a step can take: reading and computing overlap, operations of different units do
// not.
double FloorSeconds(const StepCost& cost, const MachineRates& rates);

// E (1 - (1 - k/E)^T).
double ExpectedExperts(int64_t experts, int64_t top_k, int64_t rows);

}  // namespace ringlet
