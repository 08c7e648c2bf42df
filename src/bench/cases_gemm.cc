// Matrix products: every weight format at one shape over the number of rows, then every matrix of
// the model in its own format.
#include <array>

#include <fmt/format.h>

#include "bench/case_data.h"
#include "bench/op_cases.h"
#include "bench/work.h"
#include "ops/gemm/gemm.h"

namespace ringlet {
namespace {

using Matrices = std::vector<PackedMatrix>;

OpCase GemmCase(const std::string& name, const MatrixShape& shape, int64_t rows, double per_token,
                const Shared<Matrices>& matrices) {
  OpCase op;
  op.op = "gemm " + FormatName(shape);
  op.shape = fmt::format("{}{} x {}, {}", name, shape.n, shape.k, Rows(rows));
  op.work.bytes = shape.bytes();
  AddMatrixOps(shape, static_cast<double>(rows), &op.work);
  op.per_token = per_token;
  op.make = [=](Context& context) {
    struct Data {
      std::shared_ptr<Matrices> weights;
      PreparedRows x;
      std::vector<float> y;
      size_t next = 0;
    };
    auto data = std::make_shared<Data>();
    data->weights = matrices.Get(context);
    Rng rng(1);
    const std::vector<float> x = RandomFloats(&rng, rows * shape.k);
    PrepareRows(context, shape.format, x.data(), rows, shape.k, &data->x);
    data->y.resize(static_cast<size_t>(rows * shape.n));
    return OpRun{[&context, data] {
                   Gemm(context, (*data->weights)[data->next], data->x, data->y.data());
                   data->next = (data->next + 1) % data->weights->size();
                 },
                 {}};
  };
  return op;
}

Shared<Matrices> Copies(const MatrixShape& shape, int64_t set) {
  return Shared<Matrices>([shape, set](Context& context) {
    return std::make_shared<Matrices>(RandomMatrices(context, shape, CopiesOf(shape.bytes(), set)));
  });
}

}  // namespace

void AddGemmCases(const ModelShapes& shapes, const OpCaseOptions& options,
                  std::vector<OpCase>* cases) {
  // The square of the residual stream, which every model has about as it is.
  const int64_t k = (shapes.hidden + kQuantGroup - 1) / kQuantGroup * kQuantGroup;
  const std::array<MatrixShape, 5> formats = {{
      {PackedFormat::kQuant, kInt4Layout, k, k},
      {PackedFormat::kQuant, QuantLayout{}, k, k},
      {PackedFormat::kFp8, QuantLayout{}, k, k},
      {PackedFormat::kBf16, QuantLayout{}, k, k},
      {PackedFormat::kF32, QuantLayout{}, k, k},
  }};
  for (const MatrixShape& shape : formats) {
    const Shared<Matrices> matrices = Copies(shape, options.working_set);
    for (const int64_t rows : {1, 2, 4, 8, 16, 64, 512}) {
      cases->push_back(GemmCase("", shape, rows, 0, matrices));
    }
  }
  for (const NamedMatrix& matrix : shapes.matrices) {
    const Shared<Matrices> matrices = Copies(matrix.shape, options.working_set);
    const std::string name = matrix.name + " ";
    cases->push_back(
        GemmCase(name, matrix.shape, 1, static_cast<double>(matrix.per_token), matrices));
    // Only the last row of a prompt needs logits.
    if (matrix.name == "head") continue;
    cases->push_back(GemmCase(name, matrix.shape, options.prefill_rows, 0, matrices));
  }
}

}  // namespace ringlet
