// The operators of a model, as cases to be timed. Adding one: append it to its group's function.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/op_case.h"
#include "bench/op_shapes.h"

namespace ringlet {

// Bytes that no cache holds: a case reads that much in turn before it reads any again.
int64_t WorkingSetBytes();

struct OpCaseOptions {
  std::vector<int64_t> depths = {4096, 16384, 65536};  // attention; the first is a token's
  int64_t prefill_rows = 512;
  int64_t working_set = WorkingSetBytes();
};

// In the order of a report. What counts for a decode step of one sequence at the first depth has
// per_token set: keys and values in the type of `shapes`.
std::vector<OpCase> OpCases(const ModelShapes& shapes, const OpCaseOptions& options);

// The groups that OpCases joins.
void AddGemmCases(const ModelShapes& shapes, const OpCaseOptions& options,
                  std::vector<OpCase>* cases);
void AddMoeCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases);
void AddRowCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases);
void AddQkvCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases);
void AddAttentionCases(const ModelShapes& shapes, const OpCaseOptions& options,
                       std::vector<OpCase>* cases);
void AddLightningCases(const ModelShapes& shapes, const OpCaseOptions& options,
                       std::vector<OpCase>* cases);
void AddPoolCases(std::vector<OpCase>* cases);

}  // namespace ringlet
