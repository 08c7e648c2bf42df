// Quantizing one tensor, block of rows by block of rows.
#pragma once

#include <functional>

#include "base/status.h"
#include "io/safetensors.h"
#include "model/quantize_plan.h"
#include "ops/context.h"

namespace ringlet {

// Appends the entries of `plan`, except shapes, to `writer`, which expects them next. Reads and
// releases the tensor's bytes through `source`. `advance(bytes)` is told of source bytes done;
// returning false stops with kCancelled. The same bytes for any number of threads.
Result<TensorReport> WriteTensor(const TensorPlan& plan, const TensorSource& source,
                                 Context& context, SafetensorsWriter& writer,
                                 const std::function<bool(uint64_t bytes)>& advance);

// The two numbers of weight_shape.
Status WriteShape(const TensorPlan& plan, SafetensorsWriter& writer);

}  // namespace ringlet
