// Operators on single rows. Those of one row find their data in the caches, as they do in a model,
// and have no floor; those of many rows take turns on rows from memory.
#include <fmt/format.h>

#include "bench/case_data.h"
#include "bench/op_cases.h"
#include "bench/work.h"
#include "ops/gemm/gemm.h"
#include "ops/norm/norm.h"
#include "ops/router/router.h"
#include "ops/swiglu/swiglu.h"

namespace ringlet {
namespace {

// Inputs and outputs of one operator, in turn.
struct RowData {
  std::vector<float> x;
  std::vector<float> gate;
  std::vector<float> weight;
  std::vector<float> y;
  std::vector<int32_t> ids;
  PreparedRows prepared;
  int64_t copies = 1;
  int64_t next = 0;
};

// An operator that reads `in` and writes `out` floats a row. `run` computes the rows of one copy.
struct RowOp {
  std::string name;
  std::string shape;
  int64_t rows = 1;
  int64_t in = 0;
  int64_t out = 0;
  int64_t gate = 0;
  double fp32_ops = 0;  // of a row
  bool has_floor = true;
  double per_token = 0;
  std::function<void(Context&, RowData&, int64_t copy)> run;
};

OpCase MakeCase(const RowOp& row_op, int64_t set) {
  OpCase op;
  op.op = row_op.name;
  op.shape = fmt::format("{}, {}", row_op.shape, Rows(row_op.rows));
  op.per_token = row_op.per_token;
  const auto rows = static_cast<double>(row_op.rows);
  const double bytes = 4.0 * rows * static_cast<double>(row_op.in + row_op.out + row_op.gate);
  const bool cached = row_op.rows < 64;
  if (!cached && row_op.has_floor) {
    op.work.bytes = bytes;
    op.work.fp32_ops = rows * row_op.fp32_ops;
  }
  op.make = [=](Context& context) {
    auto data = std::make_shared<RowData>();
    data->copies = cached ? 1 : CopiesOf(bytes, set);
    Rng rng(1);
    const std::vector<float> x = RandomFloats(&rng, row_op.rows * row_op.in);
    const std::vector<float> gate = RandomFloats(&rng, row_op.rows * row_op.gate);
    for (int64_t i = 0; i < data->copies; ++i) {
      data->x.insert(data->x.end(), x.begin(), x.end());
      data->gate.insert(data->gate.end(), gate.begin(), gate.end());
    }
    data->weight = RandomFloats(&rng, row_op.in);
    data->y.resize(static_cast<size_t>(data->copies * row_op.rows * row_op.out));
    data->ids.resize(data->y.size());
    return OpRun{[&context, data, run = row_op.run] {
                   run(context, *data, data->next);
                   data->next = (data->next + 1) % data->copies;
                 },
                 {}};
  };
  return op;
}

RowOp Norm(int64_t n, int64_t rows, double per_token) {
  return {.name = "rms norm",
          .shape = fmt::format("{}", n),
          .rows = rows,
          .in = n,
          .out = n,
          .fp32_ops = 4.0 * static_cast<double>(n),
          .per_token = per_token,
          .run = [=](Context& context, RowData& d, int64_t copy) {
            const int64_t at = copy * rows * n;
            RmsNorm(context, {d.x.data() + at, d.weight.data(), d.y.data() + at, rows, n, 1e-6f});
          }};
}

RowOp GroupNorm(int64_t n, int64_t groups, int64_t rows, double per_token) {
  return {.name = "group norm, gate",
          .shape = fmt::format("{} in {}", n, groups),
          .rows = rows,
          .in = n,
          .out = n,
          .gate = n,
          .fp32_ops = 30.0 * static_cast<double>(n),
          .per_token = per_token,
          .run = [=](Context& context, RowData& d, int64_t copy) {
            const int64_t at = copy * rows * n;
            GroupNormGate(context, {d.x.data() + at, d.gate.data() + at, d.weight.data(),
                                    d.y.data() + at, rows, n, groups, 1e-6f});
          }};
}

// An exponential is a polynomial of degree 6 and a range reduction.
RowOp Swiglu(int64_t n, int64_t rows, double per_token) {
  return {.name = "swiglu",
          .shape = fmt::format("{}", n),
          .rows = rows,
          .in = 2 * n,
          .out = n,
          .fp32_ops = 28.0 * static_cast<double>(n),
          .per_token = per_token,
          .run = [=](Context& context, RowData& d, int64_t copy) {
            SwiGlu(context, d.x.data() + copy * rows * 2 * n, rows, n,
                   d.y.data() + copy * rows * n);
          }};
}

RowOp Prepare(const std::string& name, const MatrixShape& shape, int64_t rows, double per_token) {
  const int64_t k = shape.k;
  const PackedFormat format = shape.format;
  return {.name = format == PackedFormat::kQuant ? "quantize rows" : "round rows",
          .shape = fmt::format("{} {}", name, k),
          .rows = rows,
          .in = k,
          .out = (k + 3) / 4,
          .fp32_ops = 4.0 * static_cast<double>(k),
          .per_token = per_token,
          .run = [=](Context& context, RowData& d, int64_t copy) {
            PrepareRows(context, format, d.x.data() + copy * rows * k, rows, k, &d.prepared);
          }};
}

// Its comparisons are few beside everything else: no floor.
RowOp Route(const MoeShape& moe, int64_t rows, double per_token) {
  return {.name = "router",
          .shape = fmt::format("{} of {}", moe.top_k, moe.experts),
          .rows = rows,
          .in = moe.experts,
          .out = moe.top_k,
          .has_floor = false,
          .per_token = per_token,
          .run = [=](Context& context, RowData& d, int64_t copy) {
            Router(context, {.logits = d.x.data() + copy * rows * moe.experts,
                             .bias = d.weight.data(),
                             .rows = rows,
                             .experts = moe.experts,
                             .top_k = moe.top_k,
                             .groups = moe.groups,
                             .top_groups = moe.top_groups,
                             .softmax = moe.softmax,
                             .ids = d.ids.data() + copy * rows * moe.top_k,
                             .weights = d.y.data() + copy * rows * moe.top_k});
          }};
}

// The widths that a token's rows are quantized (or rounded) at, and how often.
void AddPrepare(const ModelShapes& shapes, const OpCaseOptions& options,
                std::vector<OpCase>* cases) {
  const auto add = [&](const std::string& name, const MatrixShape& shape, int64_t rows,
                       int64_t count) {
    if (count == 0 || shape.format == PackedFormat::kF32) return;
    const int64_t set = options.working_set;
    cases->push_back(MakeCase(Prepare(name, shape, rows, static_cast<double>(count)), set));
    if (rows == 1) cases->push_back(MakeCase(Prepare(name, shape, options.prefill_rows, 0), set));
  };
  const MatrixShape* hidden = nullptr;
  for (const NamedMatrix& m : shapes.matrices) {
    if (m.name == "qkv" && hidden == nullptr) hidden = &m.shape;
  }
  if (hidden != nullptr) add("for qkv and others", *hidden, 1, 2 * shapes.layers + 1);
  for (const NamedMatrix& m : shapes.matrices) {
    if (m.name == "out" || m.name == "down") add("for " + m.name, m.shape, 1, m.per_token);
  }
  if (shapes.moe.layers > 0)
    add("for experts' down", shapes.moe.down, shapes.moe.top_k, shapes.moe.layers);
  if (shapes.moe.shared_ffn > 0)
    add("for shared down", shapes.moe.shared_down, 1, shapes.moe.layers);
}

}  // namespace

void AddRowCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases) {
  const int64_t many = options.prefill_rows;
  const auto add = [&](const RowOp& op) { cases->push_back(MakeCase(op, options.working_set)); };
  const auto layers = static_cast<double>(shapes.layers);
  add(Norm(shapes.hidden, 1, 2 * layers + 1));
  add(Norm(shapes.hidden, many, 0));
  AddPrepare(shapes, options, cases);
  if (shapes.dense.layers > 0) {
    add(Swiglu(shapes.dense.ffn, 1, static_cast<double>(shapes.dense.layers)));
    add(Swiglu(shapes.dense.ffn, many, 0));
  }
  if (const MoeShape& moe = shapes.moe; moe.layers > 0) {
    const auto count = static_cast<double>(moe.layers);
    add(Swiglu(moe.down.k, moe.top_k, count));
    add(Swiglu(moe.down.k, moe.top_k * many, 0));
    if (moe.shared_ffn > 0) add(Swiglu(moe.shared_ffn, 1, count));
    add(Route(moe, 1, count));
    add(Route(moe, many, 0));
  }
  if (const LightningShape& lightning = shapes.lightning; lightning.layers > 0) {
    const int64_t width = lightning.heads * lightning.kv.head_dim;
    add(GroupNorm(width, lightning.groups, 1, static_cast<double>(lightning.layers)));
    add(GroupNorm(width, lightning.groups, many, 0));
  }
}

}  // namespace ringlet
