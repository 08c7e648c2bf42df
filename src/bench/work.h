// What operators read and compute, and how cases are named.
#pragma once

#include <cstdint>
#include <string>

#include "bench/op_case.h"
#include "bench/op_shapes.h"

namespace ringlet {

// "int4", "int8", "fp8", "bf16", "f32".
std::string FormatName(const MatrixShape& shape);

// "1 row", "512 rows".
std::string Rows(int64_t rows);

// 2 N K a row, in the unit of the format.
void AddMatrixOps(const MatrixShape& shape, double rows, OpWork* work);

// Keys and values in fp32 or BF16 are multiplied in fp32, INT8 ones as 16-bit integers at half the
// rate of 8-bit ones.
void AddAttentionOps(KvType type, double ops, OpWork* work);

}  // namespace ringlet
